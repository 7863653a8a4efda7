"""Defines the services, clients and networks from which the gateway's configuration is rendered.

The settings of the gateway itself are infra.settings.gateway.GatewaySettings. These classes check their own values;
numbers that settings and service.yaml limit are not checked again.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from infra.schema.host_names import certificate_name
from infra.schema.problems import UnusableValue
from infra.services import reserved_names
from infra.services.ports import CONSOLE_PORT, CONSOLE_SPANS_PORT, GATEWAY_PORTS, HUB_PORT

#: Streams without data get a ping every 15 s, so a read timeout must be much longer.
SHORTEST_READ_TIMEOUT_SECONDS = 60
#: The time beyond its longest call in which a service can itself answer that the call took too long.
READ_TIMEOUT_MARGIN_SECONDS = 15

#: The tools of a service that a client may call: all, those that only read, or those with these names.
Scope = Literal["all", "read"] | tuple[str, ...]

_SERVICE_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_CLIENT_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")
_TOOL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_ACCOUNT_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_GROUP_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_TOKEN_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class GatewayService:
    """A service behind the gateway.

    `port` is the port on which its containers listen, and its direct port on the gateway. `title` is shown to people.
    `max_call_seconds` is the duration of its longest call. `replicas` is the number of its containers, which the
    gateway finds as `<name>-mcp-1`, `<name>-mcp-2`, … besides `<name>-mcp`. `read_tools` and `write_tools` are the
    tools in its lock file; if both are empty, its tools are unknown. `once_tools` are the `read_tools` whose calls are
    not repeated after a failure. `requests_per_second` limits each client's calls to this service. `enforces_scopes`:
    the service obeys X-Dyber-Scope, so clients with a scope of some of its tools may use any revision of MCP.
    `accounts`: the service has accounts, to some of which clients can be limited. Raises UnusableValue.
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
    accounts: bool = False

    def __post_init__(self) -> None:
        if not _SERVICE_NAME.fullmatch(self.name) or len(self.name) > 40:
            raise UnusableValue("service_name", name=self.name)
        if reason := reserved_names.problem(self.name):
            raise UnusableValue(reason.message, **reason.parameters)
        if not 1 <= self.port <= 65535 or self.port in GATEWAY_PORTS:
            raise UnusableValue(
                "service_port", service=self.name, port=self.port, taken=", ".join(map(str, GATEWAY_PORTS))
            )
        if not 1 <= self.max_call_seconds <= 86400:
            raise UnusableValue("service_call_seconds", service=self.name, seconds=self.max_call_seconds)
        for tool in (*self.read_tools, *self.write_tools):
            if not _TOOL_NAME.fullmatch(tool):
                raise UnusableValue("tool_name", service=self.name, tool=tool)

    @property
    def resent_tools(self) -> tuple[str, ...]:
        """The tools whose calls the gateway repeats if the connection breaks before a response."""
        return tuple(tool for tool in self.read_tools if tool not in self.once_tools)

    @property
    def host(self) -> str:
        """The network alias of all containers of the service."""
        return f"{self.name}-mcp"

    @property
    def replica_hosts(self) -> tuple[str, ...]:
        """The network alias of each replica; while it is replaced, its old and its new container have the same."""
        return tuple(f"{self.host}-{number}" for number in range(1, self.replicas + 1))

    @property
    def read_timeout_seconds(self) -> int:
        """How long the gateway waits for the next byte of a response."""
        return max(SHORTEST_READ_TIMEOUT_SECONDS, self.max_call_seconds + READ_TIMEOUT_MARGIN_SECONDS)


@dataclass(frozen=True)
class GatewayClient:
    """A client and the SHA-256 hashes (64 lower-case hex digits) of its tokens: one, or two during a rotation.

    `scopes` are the tools that it may call, by service; None means every service, also future ones. `accounts` are the
    accounts that it may use, by service, its default first; at a service that is not listed, it may use every account.
    Raises UnusableValue.
    """

    name: str
    token_sha256: tuple[str, ...]
    scopes: Mapping[str, Scope] | None = None
    accounts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _CLIENT_NAME.fullmatch(self.name):
            raise UnusableValue("client_name", name=self.name)
        if not self.token_sha256:
            raise UnusableValue("client_without_token", client=self.name)
        if not all(_TOKEN_HASH.fullmatch(value) for value in self.token_sha256):
            # The message must not repeat the value, which may be a token given by mistake.
            raise UnusableValue("client_token_hash", client=self.name)
        for service, names in self.accounts.items():
            if not names or not all(_ACCOUNT_NAME.fullmatch(name) for name in names):
                raise UnusableValue("account_names", client=self.name, service=service, names=", ".join(names))

    def told(self, service: str) -> str:
        """Return the client's scope for a service as the service is told it: `read`, `tools:a,b;accounts=main`."""
        scope: str | tuple[str, ...] = "all" if self.scopes is None else self.scopes.get(service, ())
        if not isinstance(scope, str):
            scope = "tools:" + ",".join(sorted(set(scope))) if scope else "none"
        accounts = self.accounts.get(service)
        return f"{scope};accounts={','.join(accounts)}" if accounts else scope


@dataclass(frozen=True)
class GatewayGroup:
    """A selection of tools with an address of its own, `/groups/<name>/mcp`.

    `tools` has by exposed name the service of a tool and its name there. `services` are those whose prompts and
    resources belong to the group. Raises UnusableValue.
    """

    name: str
    tools: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    services: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _GROUP_NAME.fullmatch(self.name):
            raise UnusableValue("group_name", name=self.name)
        for exposed, (service, tool) in self.tools.items():
            for name in (exposed, tool):
                if not _TOOL_NAME.fullmatch(name):
                    raise UnusableValue("tool_name", service=service, tool=name)


@dataclass(frozen=True)
class GatewayHub:
    """The hub, which offers the tools of all services under one address, and what it offers.

    `token_sha256` is the hash of the token with which the hub calls services through the gateway. `tools`, `prompts`
    and `resource_schemes` are what each service offers there, by service: names, and the schemes of URIs that belong
    to no other service. `names` are the names at the hub of tools that have another name there, by service and tool.
    What is not listed still works, because the hub itself passes on calls that the gateway cannot
    place. `readable` are the services that have, or may have, prompts or resources, with any scheme. `search`: whether
    the hub has an address for searching tools. `replicas` is the number of its containers, which the gateway finds as
    `hub-1`, `hub-2`, … besides `hub`. `requests_per_second` limits each client's requests that the hub itself answers.
    Raises UnusableValue.
    """

    token_sha256: str
    tools: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    prompts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    resource_schemes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    readable: frozenset[str] = frozenset()
    groups: tuple[GatewayGroup, ...] = ()
    search: bool = False
    replicas: int = 1
    requests_per_second: int = 50

    def __post_init__(self) -> None:
        if not _TOKEN_HASH.fullmatch(self.token_sha256):
            raise UnusableValue("client_token_hash", client=self.name)
        for service, tools in self.tools.items():
            for tool in tools:
                if not _TOOL_NAME.fullmatch(tool):
                    raise UnusableValue("tool_name", service=service, tool=tool)

    @property
    def name(self) -> str:
        """The name of the hub beside those of the services, which is also the network alias of all its containers."""
        return "hub"

    @property
    def client(self) -> str:
        """The client in whose name the hub asks services for itself; no client of a stack or of a login is called so."""
        return "_hub"

    @property
    def port(self) -> int:
        """The port on which the hub's containers listen."""
        return HUB_PORT

    @property
    def replica_hosts(self) -> tuple[str, ...]:
        """The network alias of each replica; while it is replaced, its old and its new container have the same."""
        return tuple(f"{self.name}-{number}" for number in range(1, self.replicas + 1))


@dataclass(frozen=True)
class GatewayConsole:
    """The console, which the gateway serves under /console/. `takes_spans`: services and the hub send spans to it."""

    takes_spans: bool = True

    @property
    def host(self) -> str:
        """The network alias of the console's container."""
        return "console"

    @property
    def port(self) -> int:
        """The port on which the console listens for pages."""
        return CONSOLE_PORT

    @property
    def spans_port(self) -> int:
        """The port on which the console takes spans."""
        return CONSOLE_SPANS_PORT


@dataclass(frozen=True)
class GatewayNetworks:
    """Address ranges of networks that are known only once the engine has made them. Raises UnusableValue for bad
    ranges.

    `trusted_proxies` are the networks of the proxies in front of the gateway, which speak the PROXY protocol if there
    are any. `monitoring` are the networks of Prometheus, which has the name `prometheus` there and may read all
    metrics. `console` are the networks of the console, which may also read them, and call services.
    """

    trusted_proxies: tuple[str, ...] = ()
    monitoring: tuple[str, ...] = ()
    console: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for key in ("trusted_proxies", "monitoring", "console"):
            for network in getattr(self, key):
                try:
                    ipaddress.ip_network(network)
                except ValueError:
                    raise UnusableValue("network_range", key=key, network=network) from None


def tls_names(names: Iterable[str]) -> str:
    """Return host names as entries of a certificate's subjectAltName, one per line."""
    return "".join(f"{certificate_name(name)}\n" for name in names)
