"""Asks the Docker engine what there is, and cleans up what a killed run left behind.

Only containers and networks with our labels are ever touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cli.engine.errors import EngineError, NotOnEngine

if TYPE_CHECKING:
    from infra.engine.connection import Client

__all__ = ["EngineError", "NotOnEngine"]


def asking(seconds: float | None = None) -> AbstractContextManager[Client]:
    """Give the client of Docker's SDK for the engine, which has `seconds` for each answer.

    Whatever fails inside is an EngineError (see cli.engine.client).
    """
    from cli.engine import client

    return client.asking(seconds)


def containers(*filters: str, all_states: bool = True) -> list[dict[str, Any]]:
    """The containers that match `filters` (such as `label=dyber.stack=dev`), as `docker inspect` describes them."""
    found = []
    for item in listed_containers(*filters, all_states=all_states):
        # A container may go between the list and the look at it.
        with suppress(NotOnEngine), asking() as client:
            found.append(dict(client.inspect_container(item["Id"])))
    return found


def listed_containers(*filters: str, all_states: bool = True) -> list[dict[str, Any]]:
    """What the engine's list tells of the containers that match `filters`: `Id`, `Names`, `Mounts`, `State`."""
    with asking() as client:
        return list(client.containers(all=all_states, filters=_by_kind(filters)))


def labelled_networks(*filters: str) -> list[tuple[str, str, str]]:
    """(deployment, id, name) of the networks that match `filters` and carry our label."""
    with asking() as client:
        listed = client.networks(filters=_by_kind(filters))
    return [(item["Labels"].get("dyber.deployment", ""), item["Id"], item["Name"]) for item in listed]


def volumes(*filters: str) -> list[dict[str, Any]]:
    """The volumes that match `filters`: `Name`, `Labels`, `CreatedAt`."""
    with asking() as client:
        return list(client.volumes(filters=_by_kind(filters))["Volumes"] or [])


def volume_labels(name: str) -> dict[str, str]:
    """Return the labels of a volume. Raises NotOnEngine, EngineError."""
    with asking() as client:
        return dict(client.inspect_volume(name)["Labels"] or {})


def volume_sizes() -> dict[str, int]:
    """Bytes by volume, of those whose size the engine knows."""
    with asking() as client:
        listed = client.df()["Volumes"] or []
    sizes = {item["Name"]: (item.get("UsageData") or {}).get("Size", -1) for item in listed}
    return {name: size for name, size in sizes.items() if size >= 0}


def images() -> dict[str, str]:
    """Ids by name and tag, of all images."""
    with asking() as client:
        return {name: item["Id"] for item in client.images() for name in item["RepoTags"] or ()}


@dataclass(frozen=True)
class Measured:
    """What a container has used of the processors so far, what they all did meanwhile, and bytes of memory now."""

    own_nanoseconds: int
    all_nanoseconds: int
    processors: int
    memory_bytes: int

    def percent_since(self, earlier: Measured) -> float:
        """Return the use since `earlier`, in percent of one core."""
        passed = self.all_nanoseconds - earlier.all_nanoseconds
        used = self.own_nanoseconds - earlier.own_nanoseconds
        return max(0.0, used / passed * self.processors * 100) if passed > 0 else 0.0


def measure(ids: Iterable[str]) -> dict[str, Measured]:
    """Measure running containers, by id; those that are gone or have stopped meanwhile are left out."""
    found = {}
    for identity in ids:
        with suppress(NotOnEngine), asking() as client:
            # One look: two of them, from which the engine itself would make percents, take two seconds.
            told = client.stats(identity, stream=False, one_shot=True)
            if measured := measured_of(told):
                found[identity] = measured
    return found


def measured_of(told: Mapping[str, Any]) -> Measured | None:
    """Read the engine's statistics of a container; None for one that does not run."""
    processor, memory = told["cpu_stats"], told["memory_stats"]
    if "usage" not in memory or not processor.get("system_cpu_usage"):
        return None
    details = memory.get("stats") or {}
    # Files that could be dropped from memory at once do not count, as in `docker stats`; the names are those of the
    # first and the second version of control groups.
    droppable = details.get("total_inactive_file", details.get("inactive_file", 0))
    return Measured(
        own_nanoseconds=processor["cpu_usage"]["total_usage"],
        all_nanoseconds=processor["system_cpu_usage"],
        processors=processor.get("online_cpus") or len(processor["cpu_usage"].get("percpu_usage") or [0]),
        memory_bytes=memory["usage"] - (droppable if droppable < memory["usage"] else 0),
    )


def published(container: dict[str, Any]) -> set[tuple[str, int]]:
    """(address, port) of the host's TCP ports that a container publishes. While it runs they are the real ones, also
    of what asked for any port of a range; '' is every address."""
    real = container.get("NetworkSettings", {}).get("Ports")
    bindings = real or container.get("HostConfig", {}).get("PortBindings") or {}
    return {
        (item.get("HostIp", ""), int(item["HostPort"]))
        for port, items in bindings.items()
        for item in items or []
        if not port.endswith(("/udp", "/sctp")) and str(item.get("HostPort", "")).isdigit()
    }


def deployment_filter(deployment: str) -> str:
    """Filter for what one stack's state owns (see infra.components.docker.defaults.labels)."""
    return f"label=dyber.deployment={deployment}"


def sweep(deployment: str, known_ids: set[str]) -> list[str]:
    """Remove containers and networks of `deployment` that its state does not know: leftovers of a killed run.

    Returns their names. Volumes are never removed.
    """
    removed = []
    for container in containers(deployment_filter(deployment)):
        if container["Id"] not in known_ids:
            with suppress(NotOnEngine), asking() as client:
                client.remove_container(container["Id"], force=True)
            removed.append(container["Name"].lstrip("/"))
    for _, network, name in labelled_networks(deployment_filter(deployment)):
        if network not in known_ids:
            with suppress(NotOnEngine), asking() as client:
                client.remove_network(network)
            removed.append(name)
    return removed


def log_tail(container: str, lines: int) -> str:
    """The last lines a container wrote, of both its streams. Raises EngineError."""
    with asking() as client:
        return bytes(client.logs(container, tail=lines)).decode("utf-8", errors="replace")


def _by_kind(filters: Iterable[str]) -> dict[str, list[str]]:
    """Return filters such as `label=a=b` in the form of the engine's interface."""
    found: dict[str, list[str]] = {}
    for item in filters:
        kind, _, value = item.partition("=")
        found.setdefault(kind, []).append(value)
    return found
