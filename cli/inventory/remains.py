"""What of a stack is on the engine that the state in use does not know: its own was lost, or is elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from cli.engine import engine
from cli.engine.errors import NotOnEngine
from cli.inventory.belongings import remove

#: Of these two cannot run at once: they hold host ports, or data that is theirs alone.
_NEVER_TWO_AT_ONCE = {"cache", "monitoring", "gateway-acme"}


@dataclass
class Remains:
    """What carries the label of one `deployment`. `containers`: their `docker inspect`; `networks`: names by id."""

    deployment: str
    containers: list[dict[str, Any]] = field(default_factory=list)
    networks: dict[str, str] = field(default_factory=dict)

    @property
    def since(self) -> str:
        """The day of the oldest container, or ''."""
        return min((item["Created"][:10] for item in self.containers), default="")

    def names(self) -> list[str]:
        """Of its containers."""
        return sorted(item["Name"].lstrip("/") for item in self.containers)

    def volumes(self, at: str | None = None) -> set[str]:
        """Return the names of all volumes that its containers mount, or only of those mounted `at` a folder."""
        mounts = (mount for item in self.containers for mount in item.get("Mounts") or ())
        return {
            str(mount["Name"])
            for mount in mounts
            if mount["Type"] == "volume" and at in (None, mount.get("Destination"))
        }


def find(stack: str, own: str | None) -> list[Remains]:
    """The remains of every deployment of `stack` but its `own`, by label. Volumes alone are none: kept data has no
    deployment. Raises EngineError."""
    labels = ("label=dyber.project=dyber", f"label=dyber.stack={stack}")
    found: dict[str, Remains] = {}
    for container in engine.containers(*labels):
        deployment = container["Config"]["Labels"].get("dyber.deployment", "")
        found.setdefault(deployment, Remains(deployment)).containers.append(container)
    for deployment, network, name in engine.labelled_networks(*labels):
        found.setdefault(deployment, Remains(deployment)).networks[network] = name
    return [item for deployment, item in sorted(found.items()) if deployment and deployment != own]


def alone(container: Mapping[str, Any]) -> bool:
    """Whether a container must go before the one that takes its place can start."""
    return (
        bool(engine.published(dict(container))) or container["Config"]["Labels"]["dyber.service"] in _NEVER_TWO_AT_ONCE
    )


def stop(containers: Sequence[Mapping[str, Any]]) -> None:
    """Stop all at once, each with the time it has for its running calls. Raises EngineError."""
    with ThreadPoolExecutor(max_workers=max(1, len(containers))) as pool:
        list(pool.map(_stop, containers))


def remove_containers(containers: Iterable[Mapping[str, Any]]) -> None:
    """Stop all at once, each with the time it has for its running calls, then remove them. Raises EngineError."""
    containers = list(containers)
    if not containers:
        return
    stop(containers)
    for item in containers:
        with suppress(NotOnEngine), engine.asking() as client:
            client.remove_container(item["Id"], force=True)


def remove_rest(found: Remains, kept_volumes: Iterable[str]) -> None:
    """The networks, and the volumes of no use to anybody else: those that hold data stay (`kept_volumes`)."""
    for network in found.networks:
        remove("network", network)
    for volume in sorted(found.volumes() - set(kept_volumes)):
        remove("volume", volume)


def _stop(container: Mapping[str, Any]) -> None:
    seconds = container["Config"].get("StopTimeout") or 10
    with engine.asking() as client:
        client.stop(container["Id"], timeout=seconds)
