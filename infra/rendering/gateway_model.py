"""What the gateway's configuration is made of: services, clients and their scopes, limits, certificates.

Knows nothing of Pulumi or Docker. Every value is checked here, before it comes near Nginx.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NoReturn

from infra.schema.host_names import certificate_name
from infra.services import reserved_names
from infra.services.catalog import MAX_REPLICAS
from infra.services.ports import GATEWAY_PORTS

#: Names under which every gateway answers.
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
#: How containers call the machine that they run on: with Docker, and with Podman. No public name ends like these, so
#: no web site can make a browser send them.
CONTAINER_NAMES = ("host.docker.internal", "host.containers.internal")
#: Streams without data get a ping every 15 s, so no read timeout may be near that.
SHORTEST_READ_TIMEOUT_SECONDS = 60
#: A service gets this long, beyond its longest call, to say itself that the call took too long.
READ_TIMEOUT_MARGIN_SECONDS = 15

#: What a client may call at one service: everything, the tools that only read, or the tools named.
Scope = Literal["all", "read"] | tuple[str, ...]
CertificateSource = Literal["self-signed", "files", "acme"]

_SERVICE_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_CLIENT_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")
_TOOL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_TOKEN_HASH = re.compile(r"[0-9a-f]{64}")
#: `null` is what pages without an address send, such as those of desktop programs.
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9._\[\]:-]+|file://|null")


@dataclass(frozen=True)
class GatewayService:
    """A service behind the gateway.

    `port` is the port its containers listen on and its direct port on the gateway; `title` is shown to people;
    `max_call_seconds` is the longest call it takes; `replicas` is the number of its containers, which the gateway
    finds as `<name>-mcp-1`, `<name>-mcp-2`, … besides `<name>-mcp`. `read_tools` and `write_tools` are the names in
    the service's lock file; both empty: unknown. `once_tools` are those of `read_tools` of which no call is sent again
    after a failure. `requests_per_second` bounds each client's calls to this service.
    Raises ValueError (Chinese, then English) for unusable values.
    """

    name: str
    port: int
    title: str
    max_call_seconds: int
    replicas: int = 1
    read_tools: tuple[str, ...] = ()
    write_tools: tuple[str, ...] = ()
    once_tools: tuple[str, ...] = ()
    requests_per_second: int = 50

    def __post_init__(self) -> None:
        if not _SERVICE_NAME.fullmatch(self.name) or len(self.name) > 40:
            refuse(
                f"服务名 {self.name!r} 不可用：请用小写字母、数字和连字符，字母开头，最长 40 个字符，如 xiaohongshu",
                f"service name {self.name!r} is unusable: lower-case letters, digits and hyphens, a letter first, "
                "at most 40, such as xiaohongshu",
            )
        if reason := reserved_names.problem(self.name):
            refuse(*reason)
        if not 1 <= self.port <= 65535 or self.port in GATEWAY_PORTS:
            refuse(
                f"服务 {self.name} 的端口 {self.port} 不可用：应为 1 到 65535，且不是网关自己的端口（"
                f"{'、'.join(map(str, GATEWAY_PORTS))}）",
                f"port {self.port} of service {self.name} is unusable: 1 to 65535, and none of the gateway's own: "
                f"{', '.join(map(str, GATEWAY_PORTS))}",
            )
        if not 1 <= self.max_call_seconds <= 86400:
            refuse(
                f"服务 {self.name} 的 max_call_seconds {self.max_call_seconds} 不可用：应为 1 到 86400 秒",
                f"max_call_seconds {self.max_call_seconds} of service {self.name} is unusable: 1 to 86400 seconds",
            )

        if not 1 <= self.replicas <= MAX_REPLICAS:
            refuse(
                f"服务 {self.name} 的 replicas {self.replicas} 不可用：应为 1 到 {MAX_REPLICAS}",
                f"replicas {self.replicas} of service {self.name} is unusable: 1 to {MAX_REPLICAS}",
            )
        if not 1 <= self.requests_per_second <= 100_000:
            refuse(
                f"服务 {self.name} 的 requests_per_second {self.requests_per_second} 不可用：应为 1 到 100000",
                f"requests_per_second {self.requests_per_second} of service {self.name} is unusable: 1 to 100000",
            )
        for tool in (*self.read_tools, *self.write_tools):
            if not _TOOL_NAME.fullmatch(tool):
                refuse(
                    f"服务 {self.name} 的工具名 {tool!r} 不可用：请用字母、数字和 _ . -，最长 128 个字符",
                    f"tool name {tool!r} of service {self.name} is unusable: letters, digits and _ . -, at most 128",
                )

    @property
    def resent_tools(self) -> tuple[str, ...]:
        """Return the tools whose calls the gateway sends again after a connection broke before there was an answer."""
        return tuple(tool for tool in self.read_tools if tool not in self.once_tools)

    @property
    def host(self) -> str:
        """Network alias of all of the service's containers."""
        return f"{self.name}-mcp"

    @property
    def replica_hosts(self) -> tuple[str, ...]:
        """Network alias of each replica; while one is replaced, of its old and its new container."""
        return tuple(f"{self.host}-{number}" for number in range(1, self.replicas + 1))

    @property
    def read_timeout_seconds(self) -> int:
        """How long the gateway waits for the next byte of an answer."""
        return max(SHORTEST_READ_TIMEOUT_SECONDS, self.max_call_seconds + READ_TIMEOUT_MARGIN_SECONDS)


@dataclass(frozen=True)
class GatewayClient:
    """A caller and the SHA-256 hashes (64 lower-case hex digits) of its tokens: one, or two while rotating.

    `scopes` says what it may call, by service: everything ("all"), tools that only read ("read"), or the tools named.
    None is every service, also those to come. Raises ValueError (Chinese, then English) for unusable values.
    """

    name: str
    token_sha256: tuple[str, ...]
    scopes: Mapping[str, Scope] | None = None

    def __post_init__(self) -> None:
        if not _CLIENT_NAME.fullmatch(self.name):
            refuse(
                f"客户端名 {self.name!r} 不可用：请用小写字母、数字和 . _ -，最长 63 个字符，例如 desktop-pet",
                f"client name {self.name!r} is unusable: lower-case letters, digits and . _ -, at most 63, "
                "such as desktop-pet",
            )
        if not self.token_sha256:
            refuse(f"客户端 {self.name} 没有令牌", f"client {self.name} has no token")
        if not all(_TOKEN_HASH.fullmatch(value) for value in self.token_sha256):
            # The value is not repeated: it may be a token given by mistake.
            refuse(
                f"客户端 {self.name} 的 token_sha256 应为 SHA-256 的 64 位小写十六进制",
                f"token_sha256 of client {self.name} must be SHA-256 hashes, 64 lower-case hex digits",
            )


@dataclass(frozen=True)
class GatewaySettings:
    """What the gateway as a whole needs to know. Raises ValueError (Chinese, then English) for unusable values.

    `server_names` are accepted besides localhost, 127.0.0.1, [::1] and the names that containers have for this machine,
    and become names of the certificate; `any_address`: also every IP address is accepted as a host, for a gateway that
    listens on all of the machine's; `allowed_origins` are web origins, such as https://pet.example, whose pages may
    call; `max_body_mib` is the largest request body in MiB, `body_memory_mib` what bodies may take together; `version`
    is shown in the information document.
    Limits: `burst` calls may come at once beyond a service's requests_per_second; `streams_per_client` are open
    together; `refused_per_minute` calls without a good token are answered per address before it gets 429.
    The breaker of a service opens after `breaker_failures` calls in a row that it did not answer, and lets one call
    try again after `breaker_seconds`.
    `https_redirect` is the public HTTPS port to which plain HTTP on port 80 is sent; `hsts_seconds` 0 promises nothing;
    `open_docs`: /docs of the services needs no token; `certificate` says where the certificate comes from;
    `trusted_proxies` are the networks of proxies before the gateway, which then speak the PROXY protocol;
    `monitoring_networks` are those of the Prometheus called `prometheus`, which may read all metrics; none: there is no
    Prometheus; `debug`: why a call failed is in the log, in Nginx's own words.
    """

    server_names: tuple[str, ...] = ()
    any_address: bool = False
    allowed_origins: tuple[str, ...] = ()
    max_body_mib: int = 16
    body_memory_mib: int = 384
    worker_processes: int = 2
    version: str = "2.0.0"
    burst: int = 100
    streams_per_client: int = 100
    refused_per_minute: int = 30
    breaker_failures: int = 5
    breaker_seconds: int = 10
    https_redirect: int | None = None
    hsts_seconds: int = 0
    open_docs: bool = False
    certificate: CertificateSource = "self-signed"
    trusted_proxies: tuple[str, ...] = ()
    monitoring_networks: tuple[str, ...] = ()
    debug: bool = False

    def __post_init__(self) -> None:
        for name in self.server_names:
            if certificate_name(name) is None:
                refuse(
                    f"主机名 {name!r} 不可用：请写主机名或 IP 地址，不带端口，如 pet.example.com、192.168.1.5",
                    f"host name {name!r} is unusable: a host name or an IP address without a port, such as "
                    "pet.example.com, 192.168.1.5 or [fd00::5]",
                )
        for origin in self.allowed_origins:
            if not _ORIGIN.fullmatch(origin):
                refuse(
                    f"网页来源 {origin!r} 不可用：请写成 https://pet.example.com、http://localhost:6274、app://obsidian.md 或 "
                    "null，小写，不带路径",
                    f"web origin {origin!r} is unusable; write it like https://pet.example.com, http://localhost:6274, "
                    "app://obsidian.md or null, lower case, without a path",
                )
        if not 1 <= self.max_body_mib <= 64:
            refuse(
                f"max_body_mib {self.max_body_mib} 不可用：应为 1 到 64", f"max_body_mib {self.max_body_mib}: 1 to 64"
            )
        bounds = {
            "body_memory_mib": (16, 8192),
            "worker_processes": (1, 64),
            "burst": (1, 100_000),
            "streams_per_client": (1, 10_000),
            "refused_per_minute": (1, 6_000),
            "breaker_failures": (1, 1_000),
            "breaker_seconds": (1, 3_600),
            "hsts_seconds": (0, 63_072_000),
        }
        for key, (least, most) in bounds.items():
            value = getattr(self, key)
            if not least <= value <= most:
                refuse(f"{key} {value} 不可用：应为 {least} 到 {most}", f"{key} {value}: {least} to {most}")
        if self.https_redirect is not None and not 1 <= self.https_redirect <= 65535:
            refuse(
                f"https_redirect {self.https_redirect} 不可用：应为 1 到 65535 的端口",
                f"https_redirect {self.https_redirect}: a port, 1 to 65535",
            )
        for key in ("trusted_proxies", "monitoring_networks"):
            for network in getattr(self, key):
                try:
                    ipaddress.ip_network(network)
                except ValueError:
                    refuse(
                        f"{key} {network!r} 不可用：请写网段，如 172.18.0.0/16",
                        f"{key} {network!r} is unusable: a network such as 172.18.0.0/16",
                    )

    @property
    def all_server_names(self) -> tuple[str, ...]:
        """Every accepted host name, once, in a stable order."""
        always = (*LOOPBACK_NAMES, *CONTAINER_NAMES)
        return (*always, *sorted(set(self.server_names) - set(always)))


def refuse(chinese: str, english: str) -> NoReturn:
    """Raise a ValueError with the message in both languages."""
    raise ValueError(f"{chinese}\n{english}")


def tls_names(names: Iterable[str]) -> str:
    """Host names as entries of a certificate's subjectAltName, one per line."""
    return "".join(f"{certificate_name(name)}\n" for name in names)
