"""Decides which ports of this machine lead to which ports inside the stack's containers."""

from __future__ import annotations

from collections.abc import Sequence

from infra.services.catalog import ServiceSpec
from infra.services.ports import DEVELOPMENT_PORT, HTTP_PORT, HTTPS_PORT, MONITORING_PORT, REDIS_PORT
from infra.settings.addresses import IPV4_LOOPBACK
from infra.settings.profiles import CACHE, MONITORING
from infra.settings.stack import StackSettings

#: Port on the host, and the host's addresses on which it is published.
Published = tuple[int, tuple[str, ...]]


def published_ports(settings: StackSettings, specs: Sequence[ServiceSpec]) -> dict[int, Published]:
    """Return where everything that the stack publishes is on the host, by the port inside."""
    port, address = redis_port(settings)
    redis: dict[int, Published] = {REDIS_PORT: (port, (address,))} if settings.has(CACHE) else {}
    return {**gateway_ports(settings, specs), **redis}


def published_addresses(settings: StackSettings, specs: Sequence[ServiceSpec]) -> list[tuple[str, int]]:
    """Return every (address, port) of the host that the stack publishes something on."""
    ports = published_ports(settings, specs).values()
    return [(address, port) for port, addresses in ports for address in addresses]


def redis_port(settings: StackSettings) -> tuple[int, str]:
    """Return (port on the host, address) of Redis, which no front holds, so that it has one address."""
    return settings.gateway.public(REDIS_PORT), IPV4_LOOPBACK


def on_loopback(settings: StackSettings, port: int) -> Published:
    """Return where a port is that stays on this machine, whatever address the gateway is bound to."""
    return settings.gateway.public(port), settings.gateway.loopback


def gateway_ports(settings: StackSettings, specs: Sequence[ServiceSpec]) -> dict[int, Published]:
    """Return where everything behind the gateway is on the host, by the gateway's own port.

    The old direct ports stay on loopback whatever address the gateway is bound to; so does the plain development
    port where plain HTTP is sent to HTTPS.
    """
    own = settings.gateway
    development = own.loopback if own.https_redirect else own.addresses
    ports = {
        HTTP_PORT: (own.public(HTTP_PORT), own.addresses),
        HTTPS_PORT: (own.public(HTTPS_PORT), own.addresses),
        DEVELOPMENT_PORT: (own.public(DEVELOPMENT_PORT), development),
    }
    if settings.has(MONITORING):
        ports[MONITORING_PORT] = on_loopback(settings, MONITORING_PORT)
    return {**ports, **{spec.port: on_loopback(settings, spec.port) for spec in specs}}
