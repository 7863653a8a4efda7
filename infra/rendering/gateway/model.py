"""Defines the services, clients and networks that the gateway's configuration is rendered from.

The settings of the gateway as a whole are infra.settings.gateway.GatewaySettings. What is defined here checks its
values itself, before they come near Nginx; numbers that settings and service.yaml bound are not bounded again.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NoReturn

from infra.schema.host_names import certificate_name
from infra.services import reserved_names
from infra.services.ports import GATEWAY_PORTS

#: Streams without data get a ping every 15 s, so no read timeout may be near that.
SHORTEST_READ_TIMEOUT_SECONDS = 60
#: A service gets this long, beyond its longest call, to say itself that the call took too long.
READ_TIMEOUT_MARGIN_SECONDS = 15

#: What a client may call at one service: everything, the tools that only read, or the tools named.
Scope = Literal["all", "read"] | tuple[str, ...]

_SERVICE_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_CLIENT_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")
_TOOL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_TOKEN_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class GatewayService:
    """A service behind the gateway.

    `port` is the port its containers listen on and its direct port on the gateway; `title` is shown to people;
    `max_call_seconds` is the longest call it takes; `replicas` is the number of its containers, which the gateway
    finds as `<name>-mcp-1`, `<name>-mcp-2`, … besides `<name>-mcp`. `read_tools` and `write_tools` are the names in
    the service's lock file; both empty: unknown. `once_tools` are those of `read_tools` of which no call is sent again
    after a failure. `requests_per_second` bounds each client's calls to this service.
    `enforces_scopes`: it keeps to X-Dyber-Scope, so clients of some of its tools may speak any revision of MCP.
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
    enforces_scopes: bool = False

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
class GatewayNetworks:
    """Networks of the gateway that the engine gave their address ranges. Raises ValueError for what is no network.

    `trusted_proxies` are those of the proxies before the gateway, which then speak the PROXY protocol; `monitoring`
    are those of the Prometheus called `prometheus`, which may read all metrics. Without any there is no such thing.
    """

    trusted_proxies: tuple[str, ...] = ()
    monitoring: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for key in ("trusted_proxies", "monitoring"):
            for network in getattr(self, key):
                try:
                    ipaddress.ip_network(network)
                except ValueError:
                    refuse(
                        f"{key} {network!r} 不可用：请写网段，如 172.18.0.0/16",
                        f"{key} {network!r} is unusable: a network such as 172.18.0.0/16",
                    )


def refuse(chinese: str, english: str) -> NoReturn:
    """Raise a ValueError with the message in both languages."""
    raise ValueError(f"{chinese}\n{english}")


def tls_names(names: Iterable[str]) -> str:
    """Host names as entries of a certificate's subjectAltName, one per line."""
    return "".join(f"{certificate_name(name)}\n" for name in names)
