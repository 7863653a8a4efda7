"""Decides the parts of the gateway: its fronts with their ports, its container with its networks, and its loader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from infra.parts.console import GATEWAY_ALIAS as CONSOLE_GATEWAY
from infra.parts.console import GATEWAY_MOUNT as CONSOLE_MOUNT
from infra.parts.containers import (
    SPANS_HOST,
    STAGING,
    Confinement,
    Membership,
    Mount,
    Network,
    Probe,
    Server,
    Stop,
    Task,
    TemporaryFolder,
)
from infra.parts.hub import GATEWAY_ALIAS as HUB_GATEWAY
from infra.parts.published_ports import Published, gateway_ports
from infra.parts.service import DRAIN_MARGIN_SECONDS
from infra.rendering.gateway.configuration import CONFIGURATION_ROOT
from infra.rendering.monitoring import GATEWAY_HOST
from infra.services.catalog import ServiceSpec
from infra.services.ports import MONITORING_PORT
from infra.settings.gateway import GatewaySettings
from infra.settings.profiles import MONITORING
from infra.settings.stack import StackSettings
from infra.settings.subnets import Subnets

GATEWAY_UID, FRONT_UID = 20080, 20079
#: Limits for all containers of a user. The gateway's user runs the old and the new gateway, its loader and the
#: containers for its certificate.
MAX_PROCESSES, MAX_FRONT_PROCESSES = 512, 1024
#: The name of the gateway on the network that it shares with the fronts (nginx/front/nginx.conf).
ALIAS = "gateway"
#: The names of the network and the volume within the stack.
EDGE, CONFIGURATION_VOLUME = "gateway-edge", "gateway-configuration"
DIRECT_FRONT_MEMORY_MIB = 64
FRONT_STOP_SECONDS = 10
#: Added to a port inside the front for the second address of the port on the host (nginx/front/nginx.conf). The sums
#: are below 32768: the engine's name server listens on a random higher port inside each container.
SECOND_ADDRESS = 20000
WRITABLE_CONFIGURATION = Mount(CONFIGURATION_VOLUME, CONFIGURATION_ROOT, read_only=False)
#: The least memory of the loader; its check of a large configuration needs up to half of what the gateway has.
LOADER_MEMORY_MIB = 128


@dataclass(frozen=True)
class Front:
    """A front, which publishes ports for the gateway: each is (port inside, port on the host, address on the host)."""

    name: str
    server: Server
    ports: tuple[tuple[int, int, str], ...]


def loader(settings: GatewaySettings) -> Task:
    """Return the task that checks a configuration with the gateway's own Nginx, switches to it, and makes the gateway
    reload."""
    return Task(
        "gateway-loader",
        "gateway-loader",
        Confinement(GATEWAY_UID, max(LOADER_MEMORY_MIB, settings.memory_mib // 2), 1.0, MAX_PROCESSES),
        ("/usr/local/bin/apply-config", STAGING),
        mounts=(WRITABLE_CONFIGURATION,),
    )


def edge(subnets: Subnets) -> Network:
    """Return the network of the fronts and the gateway."""
    return Network(EDGE, "gateway", internet_access=True, subnet=subnets.edge())


def gateway(
    settings: GatewaySettings,
    specs: Sequence[ServiceSpec],
    networks: Sequence[str],
    monitoring: str | None,
    hub: str | None = None,
    console: str | None = None,
    *,
    takes_spans: bool = False,
) -> Server:
    """Return the gateway, which is in every service's network (`networks`) and in the networks `monitoring`, `hub` and
    `console`, if there are any. `takes_spans`: the services find it by name, as they send spans to it.

    A new gateway serves before the old one drains. Its configuration is mounted read-only.
    """
    names = (SPANS_HOST,) if takes_spans else ()
    memberships = [Membership(EDGE, (ALIAS,)), *(Membership(network, names) for network in networks)]
    if monitoring:
        memberships.append(Membership(monitoring, (GATEWAY_HOST,)))
    if hub:
        memberships.append(Membership(hub, (HUB_GATEWAY,)))
    mounts = [Mount(CONFIGURATION_VOLUME, CONFIGURATION_ROOT, read_only=True)]
    if console:
        memberships.append(Membership(console, (CONSOLE_GATEWAY,)))
        mounts.append(CONSOLE_MOUNT)
    return Server(
        "gateway-nginx",
        "gateway",
        Confinement(GATEWAY_UID, settings.memory_mib, 2.0, MAX_PROCESSES),
        tuple(memberships),
        Probe(("/usr/local/bin/gateway-healthcheck",)),
        # SIGQUIT lets running calls end; streams that are open after the time limit are cut.
        Stop(max(spec.max_call_seconds for spec in specs) + DRAIN_MARGIN_SECONDS, signal="SIGQUIT"),
        replaced="new first",
        wait_seconds=60,
        mounts=tuple(mounts),
        temporary=(TemporaryFolder("/run", 64), TemporaryFolder("/tmp", settings.body_memory_mib)),
    )


def fronts(settings: StackSettings, specs: Sequence[ServiceSpec]) -> list[Front]:
    """Return the front of the gateway's own ports, one for each service's direct port, and one for Prometheus."""
    ports = gateway_ports(settings, specs)
    direct = {spec.port: f"{spec.name}-direct" for spec in specs}
    if settings.has(MONITORING):
        direct[MONITORING_PORT] = "monitoring-direct"
    shared = {port: public for port, public in ports.items() if port not in direct}
    return [
        _front("gateway-front", settings.gateway.memory_mib, shared),
        *(_front(name, DIRECT_FRONT_MEMORY_MIB, {port: ports[port]}) for port, name in direct.items()),
    ]


def _front(name: str, memory_mib: int, ports: dict[int, Published]) -> Front:
    server = Server(
        f"{name}-nginx",
        name,
        Confinement(FRONT_UID, memory_mib, 1.0, MAX_FRONT_PROCESSES),
        (Membership(EDGE),),
        Probe(("/usr/local/bin/front-healthcheck",)),
        Stop(FRONT_STOP_SECONDS, signal="SIGQUIT"),
        # Two containers cannot publish the same port.
        replaced="old first",
        wait_seconds=60,
    )
    # Each address has its own port inside: the engine lists several addresses of one port in an order of its own, which
    # the provider would report as a change.
    bindings = [
        (internal + number * SECOND_ADDRESS, external, address)
        for internal, (external, addresses) in ports.items()
        for number, address in enumerate(addresses)
    ]
    return Front(name, server, tuple(sorted(bindings)))
