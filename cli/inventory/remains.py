"""Finds deployments of a stack on the engine whose state was lost or is elsewhere, and removes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Network, ip_network
from typing import Any

from cli.engine import engine
from cli.engine.errors import NotOnEngine
from cli.inventory.belongings import remove

#: Services of which two containers cannot run at the same time, as they use data that only one may use.
_NEVER_TWO_AT_ONCE = {"cache", "monitoring", "gateway-acme"}


@dataclass
class Remains:
    """Everything with the label of one `deployment`.

    `containers` are given by their `docker inspect`, `networks` as names by id.
    """

    deployment: str
    containers: list[dict[str, Any]] = field(default_factory=list)
    networks: dict[str, str] = field(default_factory=dict)

    @property
    def since(self) -> str:
        """The day on which the oldest container was created, or ''."""
        return min((item["Created"][:10] for item in self.containers), default="")

    def names(self) -> list[str]:
        """Return the names of its containers."""
        return sorted(item["Name"].lstrip("/") for item in self.containers)

    def volumes(self, folder: str | None = None, beside: str | None = None) -> set[str]:
        """Return the names of all volumes that its containers mount, or only of those mounted at `folder`, or not at
        `beside`."""
        mounts = (mount for item in self.containers for mount in item.get("Mounts") or ())
        return {
            str(mount["Name"])
            for mount in mounts
            if mount["Type"] == "volume"
            and folder in (None, mount.get("Destination"))
            and (beside is None or beside != mount.get("Destination"))
        }


def find(stack: str, known_deployment: str | None) -> list[Remains]:
    """Return every deployment of `stack` on the engine except the known one, found by label. Raises EngineError.

    Data volumes alone do not count, as kept data has no deployment.
    """
    labels = ("label=dyber.project=dyber", f"label=dyber.stack={stack}")
    by_deployment: dict[str, Remains] = {}
    for container in engine.containers(*labels):
        deployment = container["Config"]["Labels"].get("dyber.deployment", "")
        by_deployment.setdefault(deployment, Remains(deployment)).containers.append(container)
    for deployment, network, name in engine.labelled_networks(*labels):
        by_deployment.setdefault(deployment, Remains(deployment)).networks[network] = name
    return [item for deployment, item in sorted(by_deployment.items()) if deployment not in ("", known_deployment)]


def networks_in(pool: str, leftovers: Iterable[Remains]) -> list[str]:
    """Return the names of their networks that have an address range of the network `pool`. Raises EngineError."""
    return [
        name
        for item in leftovers
        for network, name in item.networks.items()
        if any(ip_network(pool).overlaps(taken) for taken in _ranges(network))
    ]


def _ranges(network: str) -> list[IPv4Network]:
    with suppress(NotOnEngine), engine.asking() as client:
        configured = client.inspect_network(network)["IPAM"]["Config"] or ()
        ranges = (ip_network(item["Subnet"]) for item in configured if item.get("Subnet"))
        return [taken for taken in ranges if isinstance(taken, IPv4Network)]
    return []


def blocks_replacement(container: Mapping[str, Any]) -> bool:
    """Tell whether a container must be removed before its replacement can start."""
    return (
        bool(engine.published(dict(container))) or container["Config"]["Labels"]["dyber.service"] in _NEVER_TWO_AT_ONCE
    )


def stop(containers: Sequence[Mapping[str, Any]]) -> None:
    """Stop containers at the same time; each gets its time to end running calls. Raises EngineError."""
    with ThreadPoolExecutor(max_workers=max(1, len(containers))) as pool:
        list(pool.map(_stop, containers))


def remove_containers(containers: Iterable[Mapping[str, Any]]) -> None:
    """Stop containers at the same time, each with its time to end running calls, then remove them.

    Raises EngineError.
    """
    containers = list(containers)
    if not containers:
        return
    stop(containers)
    for item in containers:
        with suppress(NotOnEngine), engine.asking() as client:
            client.remove_container(item["Id"], force=True)


def remove_rest(item: Remains, kept_volumes: Iterable[str]) -> None:
    """Remove networks and volumes of a deployment, but not `kept_volumes`, which hold data."""
    for network in item.networks:
        remove("network", network)
    for volume in sorted(item.volumes() - set(kept_volumes)):
        remove("volume", volume)


def _stop(container: Mapping[str, Any]) -> None:
    seconds = container["Config"].get("StopTimeout") or 10
    with engine.asking() as client:
        client.stop(container["Id"], timeout=seconds)
