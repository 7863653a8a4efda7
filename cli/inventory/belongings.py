"""Lists what belongs to one stack on the engine, and removes its networks and volumes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from cli.deployment.deployment import Deployment
from cli.engine import engine, stored_data
from cli.engine.errors import EngineError, NotOnEngine
from cli.engine.resource_types import IMAGE, VOLUME
from cli.engine.stored_data import StoredData
from cli.terminal.console import err
from messages import tr


@dataclass(frozen=True)
class Belongings:
    """The names of what `clean` deletes; `data` are the stack's data volumes, `volumes` its other volumes."""

    containers: list[str]
    networks: list[str]
    volumes: list[str]
    images: list[str]
    data: list[StoredData]


def belongings(deployment: Deployment, *, with_images: bool) -> Belongings:
    """Return what belongs to the stack. Raises EngineError.

    Containers and networks are found by the label of the stack's state, data volumes by their labels, and other volumes
    by their names in the state.
    """
    identity = deployment.deployment_id()
    resources = deployment.resources()
    label = engine.deployment_filter(identity) if identity else None
    built = _outputs(resources, IMAGE, "name") if with_images else []
    containers = sorted(item["Names"][0].lstrip("/") for item in engine.listed_containers(label)) if label else []
    # A stack of the same name may exist in another state; volumes that its containers mount must not be deleted.
    data = [item for item in stored_data.find(deployment.stack.name) if set(item.users) <= set(containers)]
    return Belongings(
        containers=containers,
        networks=sorted(name for _, _, name in engine.labelled_networks(label)) if label else [],
        volumes=_volumes(deployment.stack.name, _outputs(resources, VOLUME, "name"), {item.name for item in data}),
        images=sorted(set(built)),
        data=data,
    )


def _volumes(stack: str, in_state: list[str], data: Collection[str]) -> list[str]:
    """Return the existing volumes of the state that hold no data; `data` are the names of data volumes."""
    labelled = {item["Name"] for item in engine.volumes("label=dyber.project=dyber", f"label=dyber.stack={stack}")}
    holding = {item.name for item in stored_data.labelled() if item.holds_data}
    return sorted(set(in_state) & labelled - set(data) - holding)


def _outputs(resources: Iterable[dict[str, Any]], type_token: str, key: str) -> list[str]:
    return [str(item["outputs"][key]) for item in resources if item["type"] == type_token and item.get("outputs")]


def remove(kind: str, name: str) -> None:
    """Remove a `network` or `volume` if it exists and is not in use; report it if it is in use."""
    try:
        with suppress(NotOnEngine), engine.asking() as client:
            if kind == "network":
                client.remove_network(name)
            else:
                client.remove_volume(name)
    except EngineError:
        err.print(Text(tr("kept {name} (still in use)", name=name), style="yellow"))
