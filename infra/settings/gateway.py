"""What a stack's file says of the gateway: where it listens, its limits, its certificate."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from infra.schema.host_names import certificate_name
from infra.schema.problems import unusable
from infra.schema.strict_settings import StrictSettings
from infra.settings import addresses

_PORT = re.compile(r":[0-9]+$")
#: `null` is what pages without an address send, such as those of desktop programs.
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9._\[\]:-]+|file://|null")
#: Names under which every gateway answers.
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
#: How containers call the machine that they run on: with Docker, and with Podman. No public name ends like these, so
#: no web site can make a browser send them.
CONTAINER_NAMES = ("host.docker.internal", "host.containers.internal")
DAY_SECONDS = 86_400
LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"


RequestsPerSecond = Annotated[int, Field(ge=1, le=100_000)]


class LimitSettings(StrictSettings):
    """How much one caller may ask for; beyond it the answer is 429, and nobody else notices."""

    requests_per_second: RequestsPerSecond = Field(
        50,
        description="一个客户端每秒对一个服务的调用数 / Calls a second of one client to one service",
    )
    burst: int = Field(
        100, ge=1, le=100_000, description="超出速率后还能一起到来的调用 / Calls that may come at once beyond the rate"
    )
    streams_per_client: int = Field(
        100, ge=1, le=10_000, description="一个客户端同时打开的流 / Streams that one client may have open"
    )
    refused_per_minute: int = Field(
        30,
        ge=1,
        le=6_000,
        description="一个地址每分钟不带有效令牌的调用数 / Calls a minute of one address without a good token",
    )


class BreakerSettings(StrictSettings):
    """When a service that does not answer is left alone for a while."""

    failures: int = Field(
        5, ge=1, le=1_000, description="连续多少次没有回答就断开 / Unanswered calls in a row that open it"
    )
    seconds: int = Field(10, ge=1, le=3_600, description="断开后多少秒再试一次 / Seconds until one call may try again")


class TlsSettings(StrictSettings):
    """Where the certificate of port 443 comes from. Files are read on the machine that runs the program."""

    source: Literal["self-signed", "files", "acme"] = Field(
        "self-signed",
        description="证书来自：自签名、自己的文件、ACME（如 Let's Encrypt） / Where the certificate comes from",
    )
    certificate_file: str | None = Field(
        None, description="证书和它的证书链（PEM 文件） / PEM file: the certificate, then its chain"
    )
    key_file: str | None = Field(
        None, description="未加密的私钥（PEM 文件） / PEM file: the private key, not encrypted"
    )
    acme_directory: str = Field(LETS_ENCRYPT, pattern=r"^https://\S+$", description="ACME 服务 / The ACME server")
    acme_email: str | None = Field(
        None, pattern=r"^[^@\s]+@[^@\s]+$", description="证书快到期时通知谁 / Told before a certificate ends"
    )
    acme_ca_file: str | None = Field(
        None, description="私有 ACME 服务自己的证书（PEM 文件） / PEM file trusted for a private ACME server itself"
    )
    hsts_days: int = Field(
        0,
        ge=0,
        le=730,
        description="浏览器多少天内只用 HTTPS；要有真正的证书 / Days in which browsers insist on HTTPS; only with a real "
        "certificate",
    )

    @model_validator(mode="after")
    def _what_belongs_together_is_there(self) -> TlsSettings:
        if self.source == "files" and not (self.certificate_file and self.key_file):
            raise ValueError("source files needs certificateFile and keyFile")
        if self.source != "files" and (self.certificate_file or self.key_file):
            raise ValueError("certificateFile and keyFile are for source: files")
        if self.source == "self-signed" and self.hsts_days:
            raise ValueError("hstsDays needs a real certificate: source files or acme")
        return self

    @property
    def hsts_seconds(self) -> int:
        """Return how long browsers insist on HTTPS; 0 promises nothing."""
        return self.hsts_days * DAY_SECONDS


class GatewaySettings(StrictSettings):
    """Where the gateway listens on the host, and what it lets through."""

    bind: str = Field(
        "127.0.0.1",
        description="网关的端口监听的 IP 地址；127.0.0.1 也包括 ::1（见 ipv6Loopback）；0.0.0.0 是所有网卡的 IPv4，:: 是 IPv6 / "
        "IP address of the gateway's ports; 127.0.0.1 includes ::1 (see ipv6Loopback); 0.0.0.0 is IPv4 on every "
        "network, :: is IPv6",
        json_schema_extra={"pattern": r"^[0-9a-fA-F.:]+$"},
    )
    ipv6_loopback: bool = Field(
        True,
        description="在本机监听的端口，有 IPv6 时也在 ::1 上监听；引擎做不到时设为 false / Ports on loopback are also on ::1 "
        "where the machine has IPv6; false for an engine that cannot do that",
    )
    port_offset: int = Field(
        0,
        ge=0,
        le=50000,
        description="所有端口加上这个数，各个栈就能并存 / Added to every published port, so that stacks run side by side",
    )
    server_names: tuple[str, ...] = Field(
        (),
        description="localhost 之外接受的主机名和地址，也写进证书 / Host names and addresses accepted besides localhost, "
        "also in the certificate",
    )
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[a-z0-9.\[\]:-]+$",
        description="自己的代理在网关前面时客户端用的地址，如 https://pet.example.com / The address clients use when a proxy of "
        "your own is in front of the gateway",
    )
    allowed_origins: tuple[str, ...] = Field(
        (),
        description="哪些网站的页面可以调用，如 https://app.example.com；桌面程序的来源如 app://obsidian.md、null / Web origins whose "
        "pages may call; those of desktop programs look like app://obsidian.md or null",
    )
    max_body_mib: int = Field(16, ge=1, le=64, description="请求体最大多少 MiB / Largest request body in MiB")
    memory_mib: int = Field(
        768, ge=64, le=8192, description="网关的内存，MiB；5000 个流约用 500 / MiB; 5,000 open streams take about 500"
    )
    https_redirect: bool = Field(
        False,
        description="80 端口转到 HTTPS；8080 留在本机 / Send plain HTTP on port 80 to HTTPS; 8080 stays on loopback",
    )
    open_docs: bool = Field(
        False, description="不带令牌也能看服务的 /docs / The services' /docs can be read without a token"
    )
    debug: bool = Field(
        False,
        description="日志里有 Nginx 的原话，可能含查询串 / Nginx says in its log why a call failed; query strings may be "
        "in there",
    )
    limits: LimitSettings = Field(LimitSettings(), description="每个调用者的限额 / Limits of each caller")
    breaker: BreakerSettings = Field(
        BreakerSettings(), description="不再打扰没有回答的服务 / Leaves alone a service that does not answer"
    )
    tls: TlsSettings = Field(TlsSettings(), description="443 端口的证书 / The certificate of port 443")

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

    @model_validator(mode="after")
    def _names_and_origins_are_usable(self) -> GatewaySettings:
        for name in (*self.server_names, *self.own_names):
            if certificate_name(name) is None:
                raise unusable("host_name", name=name)
        for origin in self.allowed_origins:
            if not _ORIGIN.fullmatch(origin):
                raise unusable("web_origin", origin=origin)
        return self

    @property
    def on_every_address(self) -> bool:
        """Whether the gateway listens on every address of the machine."""
        return ipaddress.ip_address(self.bind).is_unspecified

    @property
    def local_host(self) -> str:
        """The host of a URL by which a program on this machine reaches the gateway, an IPv6 address in brackets."""
        address = ipaddress.ip_address(self.bind)
        if address.is_unspecified:
            return "[::1]" if address.version == 6 else "127.0.0.1"
        return f"[{address}]" if address.version == 6 else str(address)

    @property
    def own_names(self) -> tuple[str, ...]:
        """Return the host names that follow from other settings: that of `public_url`, and the address of `bind` unless
        it is a loopback address or stands for every address."""
        public = urlsplit(self.public_url).netloc if self.public_url else ""
        address = ipaddress.ip_address(self.bind)
        bound = () if address.is_unspecified or address.is_loopback else (self.local_host,)
        return (*((_PORT.sub("", public),) if public else ()), *bound)

    @property
    def all_server_names(self) -> tuple[str, ...]:
        """Return every host name that is accepted, once, in a stable order; all are names of the certificate."""
        always = (*LOOPBACK_NAMES, *CONTAINER_NAMES)
        return (*always, *sorted({*self.server_names, *self.own_names} - set(always)))

    @property
    def all_origins(self) -> tuple[str, ...]:
        """Return the origins whose pages may call. A page that came through the user's own proxy names an origin that
        the gateway could not know, that of `public_url`."""
        return (*self.allowed_origins, *([self.public_url] if self.public_url else []))

    @property
    def dns_names(self) -> tuple[str, ...]:
        """The server names that a public authority can certify: host names, not addresses."""
        return tuple(name for name in self.server_names if not _is_address(name) and "." in name)

    @property
    def body_memory_mib(self) -> int:
        """Return how much of `memory_mib` request bodies may take together while they arrive and are passed on."""
        return self.memory_mib // 2

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address of the host on which the gateway's ports are published."""
        return self.loopback if self.bind == addresses.IPV4_LOOPBACK else (self.bind,)

    @property
    def loopback(self) -> tuple[str, ...]:
        """The addresses of ports that stay on this machine whatever address the gateway is bound to."""
        return addresses.loopback() if self.ipv6_loopback else (addresses.IPV4_LOOPBACK,)

    def public(self, port: int) -> int:
        """The host port under which the gateway's own `port` is published."""
        return port + self.port_offset


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
