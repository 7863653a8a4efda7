"""Decides on which ports of the host the ports of the stack's containers are published."""

from __future__ import annotations

from collections.abc import Sequence

from infra.services.catalog import ServiceSpec
from infra.services.ports import DEVELOPMENT_PORT, HTTP_PORT, HTTPS_PORT, MONITORING_PORT, REDIS_PORT
from infra.settings.addresses import IPV4_LOOPBACK
from infra.settings.profiles import CACHE, MONITORING
from infra.settings.stack import StackSettings

#: A port of the host, and the addresses of the host on which it is published.
Published = tuple[int, tuple[str, ...]]


def published_ports(settings: StackSettings, specs: Sequence[ServiceSpec]) -> dict[int, Published]:
    """Return the published port of everything in the stack, by the port inside the container."""
    port, address = redis_port(settings)
    redis: dict[int, Published] = {REDIS_PORT: (port, (address,))} if settings.has(CACHE) else {}
    return {**gateway_ports(settings, specs), **redis}


def published_addresses(settings: StackSettings, specs: Sequence[ServiceSpec]) -> list[tuple[str, int]]:
    """Return every (address, port) of the host on which the stack publishes a port."""
    ports = published_ports(settings, specs).values()
    return [(address, port) for port, addresses in ports for address in addresses]


def redis_port(settings: StackSettings) -> tuple[int, str]:
    """Return (port on the host, address) of Redis. It has one address, because no front publishes it."""
    return settings.gateway.public(REDIS_PORT), IPV4_LOOPBACK


def on_loopback(settings: StackSettings, port: int) -> Published:
    """Return the published port of a `port` that stays on loopback, regardless of `gateway.bind`."""
    return settings.gateway.public(port), settings.gateway.loopback


def gateway_ports(settings: StackSettings, specs: Sequence[ServiceSpec]) -> dict[int, Published]:
    """Return the published ports of the gateway and of everything behind it, by the gateway's own port.

    The direct ports of services stay on loopback regardless of `gateway.bind`; so does the development port where plain
    HTTP redirects to HTTPS.
    """
    gateway = settings.gateway
    development = gateway.loopback if gateway.https_redirect else gateway.addresses
    ports = {
        HTTP_PORT: (gateway.public(HTTP_PORT), gateway.addresses),
        HTTPS_PORT: (gateway.public(HTTPS_PORT), gateway.addresses),
        DEVELOPMENT_PORT: (gateway.public(DEVELOPMENT_PORT), development),
    }
    if settings.has(MONITORING):
        ports[MONITORING_PORT] = on_loopback(settings, MONITORING_PORT)
    return {**ports, **{spec.port: on_loopback(settings, spec.port) for spec in specs}}
