"""Are the ports free that the gateway is going to publish?"""

from __future__ import annotations

import errno
import socket
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from cli import engine


@dataclass(frozen=True)
class PortInUse:
    """A host port somebody else holds; `owner` is a container's name, or None when it is another process."""

    address: str
    port: int
    owner: str | None


def ports_in_use(wanted: Iterable[tuple[str, int]], deployments: Collection[str]) -> list[PortInUse]:
    """Those of the `wanted` (address, port) pairs that cannot be had; those of our own `deployments` are free."""
    running = engine.containers(all_states=False)
    own: set[int] = set()
    owners: dict[int, str] = {}
    for container in running:
        labels = container.get("Config", {}).get("Labels") or {}
        for port in engine.published(container):
            if labels.get("dyber.deployment") in deployments:
                own.add(port)
            else:
                owners[port] = container["Name"].lstrip("/")
    return [
        PortInUse(address, port, owners.get(port))
        for address, port in wanted
        if port not in own and (port in owners or not _can_listen(address, port))
    ]


def _can_listen(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            # Without the right to bind low ports nothing is known; the engine may have it.
            return error.errno != errno.EADDRINUSE
    return True
