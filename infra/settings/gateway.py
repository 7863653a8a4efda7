"""Defines the settings of the gateway: where it listens, its limits, its certificate."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from infra.schema.forms import Form
from infra.schema.host_names import certificate_name, has_usable_port
from infra.schema.problems import UnusableValue
from infra.schema.strict_settings import StrictSettings
from infra.settings import addresses
from infra.settings.oauth import OAuthSettings, is_loopback
from messages import mark

_PORT = re.compile(r":[0-9]+$")
#: Pages without an address, such as those of desktop programs, send `null`.
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9._\[\]:-]+|file://|null")
#: Names under which every gateway answers.
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
#: The names by which containers reach their machine, with Docker and with Podman. No public name ends like these, so
#: no web site can make a browser send them.
CONTAINER_NAMES = ("host.docker.internal", "host.containers.internal")
DAY_SECONDS = 86_400
LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"


RequestsPerSecond = Annotated[int, Field(ge=1, le=100_000)]


class LimitSettings(StrictSettings):
    """Limits of one caller. Calls beyond them are answered with 429; other callers are not affected."""

    requests_per_second: RequestsPerSecond = Field(
        50,
        description=mark("How many calls a second one client may make to one service"),
    )
    burst: int = Field(100, ge=1, le=100_000, description=mark("How many calls may come at once beyond that rate"))
    streams_per_client: int = Field(100, ge=1, le=10_000, description=mark("How many streams one client may have open"))
    refused_per_minute: int = Field(
        30,
        ge=1,
        le=6_000,
        description=mark("How many calls a minute one address may make without a valid token"),
    )


class BreakerSettings(StrictSettings):
    """When calls to a service that does not answer are stopped for a while."""

    failures: int = Field(5, ge=1, le=1_000, description=mark("How many unanswered calls in a row open the breaker"))
    seconds: int = Field(
        10, ge=1, le=3_600, description=mark("How many seconds later one call tries the service again")
    )


class TlsSettings(StrictSettings):
    """The source of the certificate of port 443. Files are read on the machine that runs the program."""

    source: Literal["self-signed", "files", "acme"] = Field(
        "self-signed",
        description=mark("Where the certificate comes from: self-signed, your own files, or ACME (Let's Encrypt)"),
    )
    certificate_file: str | None = Field(None, description=mark("The certificate, followed by its chain (PEM file)"))
    key_file: str | None = Field(None, description=mark("The private key, not encrypted (PEM file)"))
    acme_directory: str = Field(LETS_ENCRYPT, pattern=r"^https://\S+$", description=mark("The ACME server"))
    acme_email: str | None = Field(
        None, pattern=r"^[^@\s]+@[^@\s]+$", description=mark("The address that is told before a certificate expires")
    )
    acme_ca_file: str | None = Field(
        None, description=mark("The certificate of a private ACME server itself (PEM file)")
    )
    hsts_days: int = Field(
        0,
        ge=0,
        le=730,
        description=mark("For how many days browsers insist on HTTPS; needs a certificate that they trust"),
    )

    @model_validator(mode="after")
    def _keys_fit_the_source(self) -> TlsSettings:
        if self.source == "files" and not (self.certificate_file and self.key_file):
            raise UnusableValue("tls_files_missing")
        if self.source != "files" and (self.certificate_file or self.key_file):
            raise UnusableValue("tls_files_unused")
        if self.source == "self-signed" and self.hsts_days:
            raise UnusableValue("hsts_without_certificate")
        return self

    @property
    def hsts_seconds(self) -> int:
        """How many seconds browsers insist on HTTPS; 0 means that they do not."""
        return self.hsts_days * DAY_SECONDS


class GatewaySettings(StrictSettings):
    """Where the gateway listens on the host, and what it accepts."""

    bind: str = Field(
        "127.0.0.1",
        description=mark(
            "The IP address on which the gateway listens; 127.0.0.1 includes ::1 (see ipv6Loopback); 0.0.0.0 is IPv4 "
            "on every network, :: is IPv6"
        ),
        json_schema_extra={"pattern": r"^[0-9a-fA-F.:]+$"},
    )
    ipv6_loopback: bool = Field(
        True,
        description=mark(
            "Whether ports on loopback are also on ::1 where the machine has IPv6; false for engines that cannot do "
            "that"
        ),
    )
    port_offset: int = Field(
        0,
        ge=0,
        le=50000,
        description=mark("Added to every published port, so that stacks run side by side"),
    )
    server_names: tuple[str, ...] = Field(
        (),
        description=mark("Host names and addresses accepted besides localhost; they are also in the certificate"),
    )
    public_url: Annotated[str, Form(r"^https?://[a-z0-9.\[\]:-]+$", "public_url_form")] | None = Field(
        None,
        description=mark(
            "The address that clients use when a proxy of your own is in front of the gateway, such as "
            "https://pet.example.com"
        ),
    )
    allowed_origins: tuple[str, ...] = Field(
        (),
        description=mark(
            "Web origins whose pages may call, such as https://app.example.com; those of desktop programs look like "
            "app://obsidian.md or null"
        ),
    )
    max_body_mib: int = Field(16, ge=1, le=64, description=mark("The largest request body, in MiB"))
    memory_mib: int = Field(
        768, ge=64, le=8192, description=mark("The gateway's memory, in MiB; 5,000 open streams take about 500")
    )
    https_redirect: bool = Field(
        False,
        description=mark("Whether port 80 redirects to HTTPS; port 8080 then stays on loopback"),
    )
    open_docs: bool = Field(False, description=mark("Whether the services' /docs can be read without a token"))
    debug: bool = Field(
        False,
        description=mark("Whether Nginx logs why a call failed; its messages may contain query strings"),
    )
    limits: LimitSettings = Field(LimitSettings(), description=mark("Limits of each caller"))
    breaker: BreakerSettings = Field(
        BreakerSettings(), description=mark("When a service that does not answer is not called for a while")
    )
    tls: TlsSettings = Field(TlsSettings(), description=mark("The certificate of port 443"))
    oauth: OAuthSettings | None = Field(
        None, description=mark("Logins at an identity provider, besides the clients' own tokens; unset: none")
    )

    @field_validator("bind")
    @classmethod
    def _bind_is_an_address(cls, value: str) -> str:
        try:
            return str(ipaddress.ip_address(value))
        except ValueError:
            raise UnusableValue("bind") from None

    @model_validator(mode="after")
    def _acme_has_a_name(self) -> GatewaySettings:
        if self.tls.source == "acme" and not self.dns_names:
            raise UnusableValue("acme_without_name")
        return self

    @field_validator("public_url")
    @classmethod
    def _public_url_has_a_usable_port(cls, value: str | None) -> str | None:
        if value and not has_usable_port(value):
            raise UnusableValue("url_port")
        return value

    @model_validator(mode="after")
    def _logins_are_encrypted(self) -> GatewaySettings:
        if self.oauth and self.public_url:
            parts = urlsplit(self.public_url)
            if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
                raise UnusableValue("oauth_public_url_without_https", url=self.public_url)
        return self

    @model_validator(mode="after")
    def _names_and_origins_are_usable(self) -> GatewaySettings:
        for name in (*self.server_names, *self.derived_names):
            if certificate_name(name) is None:
                raise UnusableValue("host_name", name=name)
        for origin in self.allowed_origins:
            if not _ORIGIN.fullmatch(origin):
                raise UnusableValue("web_origin", origin=origin)
        return self

    @property
    def on_every_address(self) -> bool:
        """Whether the gateway listens on every address of the machine."""
        return ipaddress.ip_address(self.bind).is_unspecified

    @property
    def local_host(self) -> str:
        """The host in a URL by which a program on this machine reaches the gateway; IPv6 addresses are in brackets."""
        address = ipaddress.ip_address(self.bind)
        if address.is_unspecified:
            return "[::1]" if address.version == 6 else "127.0.0.1"
        return f"[{address}]" if address.version == 6 else str(address)

    @property
    def derived_names(self) -> tuple[str, ...]:
        """The host names that follow from other settings: that of `public_url`, and the address of `bind` unless it is
        a loopback address or stands for every address."""
        public = urlsplit(self.public_url).netloc if self.public_url else ""
        address = ipaddress.ip_address(self.bind)
        bound = () if address.is_unspecified or address.is_loopback else (self.local_host,)
        return (*((_PORT.sub("", public),) if public else ()), *bound)

    @property
    def all_server_names(self) -> tuple[str, ...]:
        """Every host name that is accepted, once, in a stable order; all are names of the certificate."""
        always = (*LOOPBACK_NAMES, *CONTAINER_NAMES)
        return (*always, *sorted({*self.server_names, *self.derived_names} - set(always)))

    @property
    def all_origins(self) -> tuple[str, ...]:
        """The origins whose pages may call. Pages that came through the user's own proxy have the origin of
        `public_url`."""
        return (*self.allowed_origins, *([self.public_url] if self.public_url else []))

    @property
    def dns_names(self) -> tuple[str, ...]:
        """The server names that a public authority can certify: host names, not addresses."""
        return tuple(name for name in self.server_names if not _is_address(name) and "." in name)

    @property
    def body_memory_mib(self) -> int:
        """How much of `memory_mib` all request bodies together may take while they arrive and are passed on."""
        return self.memory_mib // 2

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address of the host on which the gateway's ports are published."""
        return self.loopback if self.bind == addresses.IPV4_LOOPBACK else (self.bind,)

    @property
    def loopback(self) -> tuple[str, ...]:
        """The addresses of the ports that stay on this machine, regardless of `bind`."""
        return addresses.loopback() if self.ipv6_loopback else (addresses.IPV4_LOOPBACK,)

    def public(self, port: int) -> int:
        """Return the port of the host on which the gateway's own `port` is published."""
        return port + self.port_offset


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
