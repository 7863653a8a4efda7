"""Finds data volumes on the engine, with their owner, size, age and users, and deletes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from cli.engine import engine
from cli.engine.errors import EngineError, NotOnEngine
from cli.engine.resource_types import CONTAINER, VOLUME
from cli.terminal.console import err
from infra.parts import data_volumes
from infra.parts.data_volumes import LabelledVolume
from messages import tr
from toolchain.prerequisites import Finding

#: The components whose children the data volumes are in a state, now and in earlier versions.
_PARENTS = ("dyber:data:DataVolumes", "dyber:service:McpService", "dyber:cache:Cache", "dyber:monitoring:Monitoring")
#: The engine's filter for volumes with labels of ours.
_OURS = "label=dyber.project=dyber"


@dataclass(frozen=True)
class StoredData:
    """A data volume on the engine.

    `size` is in bytes, None where the engine does not know it; `users` are the names of the containers that mount it,
    whether they run or not.
    """

    name: str
    stack: str
    service: str
    created: datetime | None = None
    size: float | None = None
    users: tuple[str, ...] = ()

    def description(self, now: datetime | None = None) -> str:
        """Return name, service, size and age for people."""
        details = [self.service]
        if self.size is not None:
            details.append(human_size(self.size))
        if self.created:
            details.append(age(self.created, now or datetime.now(UTC)))
        return self.name + tr(" ({details})", details=tr(", ").join(details))

    def as_json(self) -> dict[str, Any]:
        """Return what --json prints."""
        created = self.created.isoformat() if self.created else None
        return {"name": self.name, "stack": self.stack, "service": self.service, "bytes": self.size, "created": created}


def find(stack: str | None = None, *, sizes: bool = True) -> list[StoredData]:
    """Return the data volumes of a stack, or of all stacks, whether they are used or not.

    For their `sizes` the engine reads its whole disk, so the answer comes sooner without them. Raises EngineError.
    """
    described = engine.volumes(_OURS)
    volumes = [item for item in data_volumes.labelled(described) if item.holds_data and stack in (None, item.stack)]
    if not volumes:
        return []
    mounting = users()
    created = {item["Name"]: _time(item.get("CreatedAt", "")) for item in described}
    data = [
        StoredData(
            name=item.name,
            stack=item.stack,
            service=item.service,
            created=created.get(item.name),
            users=mounting.get(item.name, ()),
        )
        for item in volumes
    ]
    data.sort(key=lambda item: (item.stack, item.name))
    return measured(data) if sizes else data


def labelled() -> list[LabelledVolume]:
    """Return every volume of the engine with labels of ours. Raises EngineError."""
    return data_volumes.labelled(engine.volumes(_OURS))


def measured(data: list[StoredData]) -> list[StoredData]:
    """Return the same volumes with their sizes, where the engine knows them."""
    if not data:
        return []
    try:
        sizes = engine.volume_sizes()
    except EngineError:
        return data
    return [replace(item, size=sizes.get(item.name)) for item in data]


def unused(data: Iterable[StoredData], needed: Collection[str] = ()) -> list[StoredData]:
    """Return the volumes that no container mounts.

    Volumes in `needed` count as used: their container is only missing until the next deployment.
    """
    return [item for item in data if not item.users and item.name not in needed]


def command_for(stack: str) -> str:
    """Return the command that lists a stack's unused data, asks, and deletes it."""
    return "./deploy.sh clean --unused-data" + ("" if stack == "dev" else f" -s {stack}")


def findings() -> list[Finding]:
    """Return what `doctor` reports about unused data: a line for each stack, even if the stack itself is gone."""
    try:
        data = measured(unused(find(sizes=False)))
    except EngineError:
        return []  # Another finding reports that the engine does not answer.
    return [
        Finding(
            f"unused-data-{stack}",
            tr("Unused data of stack {stack}", stack=stack),
            True,
            "; ".join(item.description() for item in data if item.stack == stack),
            advice=tr("when no longer needed: ") + command_for(stack),
        )
        for stack in sorted({item.stack for item in data})
    ]


def lines(data: Iterable[StoredData]) -> Iterator[str]:
    """Yield a line of a list for each volume."""
    yield from (f"  {item.description()}" for item in data)


def delete(data: Iterable[StoredData]) -> list[str]:
    """Delete volumes with everything in them, and return the names of those that are deleted.

    A volume that a container mounts is kept, and a message says so.
    """
    deleted = []
    for item in data:
        try:
            with suppress(NotOnEngine), engine.asking() as client:
                client.remove_volume(item.name)
        except EngineError as error:
            err.print(Text(tr("kept {name}: {error}", name=item.name, error=error), style="yellow"))
            continue
        deleted.append(item.name)
    return deleted


def in_state(resources: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the data volumes among the resources of a state."""
    return [item for item in resources if item["type"] == VOLUME and holds_data(str(item["urn"]))]  # type: ignore[misc]


def holds_data(urn: str) -> bool:
    """Tell whether the volume of this URN holds data, not a configuration or secrets."""
    types = urn.split("::")[2].split("$")
    return urn.endswith("-data") and len(types) > 1 and types[-2] in _PARENTS


def mounted(resources: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the names of the data volumes that the containers of a state mount."""
    return {
        str(mount["source"])
        for item in resources
        if item["type"] == CONTAINER
        for mount in (item.get("inputs") or {}).get("mounts") or ()
        if mount.get("target") == data_volumes.DATA_FOLDER and mount.get("source")
    }


def retain(state: Mapping[str, Any]) -> bool:
    """Mark the data volumes in a `state` so that Pulumi never deletes them, and tell whether that changed the state.

    States of earlier versions lack the mark, and for a resource that no program declares any more, Pulumi goes by the
    state alone.
    """
    volumes = deletable(state)
    for item in volumes:
        item["retainOnDelete"] = True
    return bool(volumes)


def deletable(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the data volumes in a `state` that Pulumi would delete once no program declares them."""
    return [item for item in in_state(state.get("resources") or []) if not item.get("retainOnDelete")]


def human_size(size: float) -> str:
    """Return a size for people, such as `1.2 MB`."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size:.0f} B"


def age(created: datetime, now: datetime) -> str:
    """Return how long ago a volume was created, for people."""
    hours = max(0, int((now - created).total_seconds() // 3600))
    if hours < 1:
        return tr("made less than an hour ago")
    if hours < 48:
        return tr("made {hours} hours ago", hours=hours)
    return tr("made {value} days ago", value=hours // 24)


def users() -> dict[str, tuple[str, ...]]:
    """Return the names of the containers that mount each volume, by volume. Raises EngineError."""
    mounting: dict[str, tuple[str, ...]] = {}
    for container in engine.listed_containers():
        for mount in container.get("Mounts") or ():
            if volume := mount.get("Name"):
                mounting[volume] = (*mounting.get(volume, ()), container["Names"][0].lstrip("/"))
    return mounting


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
