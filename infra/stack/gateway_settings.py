"""What a stack's file says of the gateway: where it listens, its limits, its certificate."""

from __future__ import annotations

import ipaddress
from typing import Literal

from pydantic import Field, field_validator, model_validator

from stack.schema import StrictSettings

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"


class LimitSettings(StrictSettings):
    """How much one caller may ask for; beyond it the answer is 429, and nobody else notices."""

    requests_per_second: int = Field(50, ge=1, le=100_000, description="Calls of one client to one service.")
    burst: int = Field(100, ge=1, le=100_000, description="Calls that may come at once beyond that.")
    streams_per_client: int = Field(100, ge=1, le=10_000, description="Streams one client may have open.")
    refused_per_minute: int = Field(30, ge=1, le=6_000, description="Calls without a good token, by address.")


class BreakerSettings(StrictSettings):
    """When a service that does not answer is left alone for a while."""

    failures: int = Field(5, ge=1, le=1_000, description="Unanswered calls in a row that open it.")
    seconds: int = Field(10, ge=1, le=3_600, description="Until one call may try again.")


class TlsSettings(StrictSettings):
    """Where the certificate of port 443 comes from. Files are read on the machine that runs the program."""

    source: Literal["self-signed", "files", "acme"] = "self-signed"
    certificate_file: str | None = Field(None, description="PEM: the certificate, then its chain.")
    key_file: str | None = Field(None, description="PEM: the private key, not encrypted.")
    acme_directory: str = Field(LETS_ENCRYPT, pattern=r"^https://\S+$")
    acme_email: str | None = Field(None, pattern=r"^[^@\s]+@[^@\s]+$", description="Told before a certificate ends.")
    acme_ca_file: str | None = Field(None, description="PEM trusted for the ACME server itself, if it is private.")
    hsts_days: int = Field(0, ge=0, le=730, description="Browsers then insist on HTTPS; only with a real certificate.")

    @model_validator(mode="after")
    def _what_belongs_together_is_there(self) -> TlsSettings:
        if self.source == "files" and not (self.certificate_file and self.key_file):
            raise ValueError("source files needs certificateFile and keyFile")
        if self.source != "files" and (self.certificate_file or self.key_file):
            raise ValueError("certificateFile and keyFile are for source: files")
        if self.source == "self-signed" and self.hsts_days:
            raise ValueError("hstsDays needs a real certificate: source files or acme")
        return self


class GatewaySettings(StrictSettings):
    """Where the gateway listens on the host, and what it lets through."""

    bind: str = Field("127.0.0.1", description="Address the gateway's ports are published on.")
    port_offset: int = Field(
        0, ge=0, le=50000, description="Added to every published port, so that stacks run side by side."
    )
    server_names: tuple[str, ...] = Field((), description="Host names and addresses accepted besides localhost.")
    allowed_origins: tuple[str, ...] = Field((), description="Web origins whose pages may call.")
    max_body_mib: int = Field(16, ge=1, le=64, description="Largest request body.")
    memory_mib: int = Field(768, ge=64, le=8192, description="5,000 open streams take about 500.")
    https_redirect: bool = Field(False, description="Send plain HTTP on port 80 to HTTPS; 8080 stays on loopback.")
    open_docs: bool = Field(False, description="/docs of the services can be read without a token.")
    debug: bool = Field(False, description="Nginx says in its log why a call failed; query strings may be in there.")
    limits: LimitSettings = LimitSettings()
    breaker: BreakerSettings = BreakerSettings()
    tls: TlsSettings = TlsSettings()

    @field_validator("bind")
    @classmethod
    def _bind_is_an_address(cls, value: str) -> str:
        try:
            return str(ipaddress.ip_address(value))
        except ValueError:
            raise ValueError("must be an IP address such as 127.0.0.1 or 0.0.0.0") from None

    @model_validator(mode="after")
    def _acme_has_a_name(self) -> GatewaySettings:
        if self.tls.source == "acme" and not self.dns_names:
            raise ValueError("tls.source acme needs a host name in serverNames, such as pet.example.com")
        return self

    @property
    def dns_names(self) -> tuple[str, ...]:
        """The server names that a public authority can certify: host names, not addresses."""
        return tuple(name for name in self.server_names if not _is_address(name) and "." in name)

    def public(self, port: int) -> int:
        """The host port under which the gateway's own `port` is published."""
        return port + self.port_offset


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
