"""Decides what the gateway knows of the hub: which service a call is for, and who may use which group."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from infra.rendering.gateway.model import GatewayClient, GatewayGroup, GatewayHub, GatewayService
from infra.schema.problems import UnusableValue
from infra.services.ports import RELAY_PORT

#: The hub is told a client's scopes of all services in one header.
LONGEST_HUB_SCOPE = 24_000
#: The hub may need this much longer than a service to answer a call that it passes on.
HUB_MARGIN_SECONDS = 15
#: The failures of calls that are told inside the response.
FAILURE_CODES = ("service_down", "service_timeout", "circuit_open", "rate_limited")
#: A map of Nginx may have other characters as well, but the hub itself can pass on the calls with such names.
_PLAIN = re.compile(r"[A-Za-z0-9_.:/@+-]{1,128}")


@dataclass(frozen=True)
class Route:
    """A name at an address of the hub, and what it stands for.

    `key` is what a call asks for: the group, the method and the name there, separated by `|`. `exposed` is the name
    there; `service` and `name` are the service and the name at the service.
    """

    key: str
    service: str
    name: str
    exposed: str


def routes(hub: GatewayHub, services: Iterable[GatewayService]) -> list[Route]:
    """Return the routes of all addresses of the hub, ordered by key.

    Names that are equal when case is ignored, as a map of Nginx does, have no route: the hub decides about them.
    """
    names = {service.name for service in services}
    found = [*_routes_of_all(hub, names)]
    for group in hub.groups:
        found += _routes_of_group(hub, group, names)
    counts = Counter(route.key.lower() for route in found)
    return sorted(
        (
            route
            for route in found
            if counts[route.key.lower()] == 1 and _PLAIN.fullmatch(route.exposed) and _PLAIN.fullmatch(route.name)
        ),
        key=lambda route: route.key,
    )


def _routes_of_all(hub: GatewayHub, services: set[str]) -> Iterator[Route]:
    for service in sorted(services.intersection(hub.tools)):
        names = hub.names.get(service, {})
        for tool in hub.tools[service]:
            exposed = names.get(tool, tool)
            yield Route(f"|tools/call|{exposed}", service, tool, exposed)
    yield from _reads(hub, "", services)


def _routes_of_group(hub: GatewayHub, group: GatewayGroup, services: set[str]) -> Iterator[Route]:
    for exposed, (service, tool) in group.tools.items():
        if service in services:
            yield Route(f"{group.name}|tools/call|{exposed}", service, tool, exposed)
    yield from _reads(hub, group.name, services.intersection(group.services))


def _reads(hub: GatewayHub, group: str, services: set[str]) -> Iterator[Route]:
    for service in sorted(services):
        for prompt in hub.prompts.get(service, ()):
            yield Route(f"{group}|prompts/get|{prompt}", service, prompt, prompt)
        for scheme in hub.resource_schemes.get(service, ()):
            yield Route(f"{group}|resources/read|{scheme}:", service, f"{scheme}:", f"{scheme}:")


def scope_header(client: GatewayClient, services: Iterable[GatewayService]) -> str:
    """Return what the client may call at each service, as the hub is told it: `xiaohongshu=read template=all`.

    Raises UnusableValue if that is too long for a header.
    """
    if client.scopes is None:
        return "all"
    names = sorted(service.name for service in services if service.name in client.scopes)
    header = " ".join(f"{name}={client.told(name)}" for name in names) or "none"
    if len(header) > LONGEST_HUB_SCOPE:
        raise UnusableValue("hub_scope_too_long", client=client.name, most=LONGEST_HUB_SCOPE)
    return header


def group_content(group: GatewayGroup, hub: GatewayHub, services: Iterable[GatewayService]) -> dict[str, Any]:
    """Return what the group has of each service: its tools, each on a line, and whether it has what clients read."""
    content: dict[str, Any] = {}
    for service in sorted(service.name for service in services):
        tools = sorted({tool for owner, tool in group.tools.values() if owner == service})
        reads = service in group.services and service in hub.readable
        if tools or reads:
            content[service] = {"tools": "\n".join(tools), "reads": reads}
    return content


def context(hub: GatewayHub | None, services: list[GatewayService]) -> dict[str, Any]:
    """Return what the templates read of the hub."""
    timeouts = [service.read_timeout_seconds for service in services]
    found = routes(hub, services) if hub else []
    return {
        "hub": hub,
        "checked": [*services, hub] if hub else services,
        "routes": found,
        "relay_port": RELAY_PORT,
        "failure_codes": FAILURE_CODES,
        "hub_read_timeout_seconds": max(timeouts, default=60) + HUB_MARGIN_SECONDS,
        # Nginx tries sizes up to this one until every bucket is small enough.
        "map_hash_max_size": max(8192, 1 << (4 * len(found)).bit_length()),
    }
