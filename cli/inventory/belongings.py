"""What belongs to one stack on the engine, and removing it. Nothing else on the engine is looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from cli.deployment.deployment import Deployment
from cli.engine import engine, stored_data
from cli.engine.engine import EngineError
from cli.engine.resource_types import IMAGE, VOLUME
from cli.engine.stored_data import StoredData
from cli.terminal.console import err
from infra.parts import data_volumes
from toolchain.language import tr


@dataclass(frozen=True)
class Belongings:
    """Lists what `clean` deletes, by name; `data` are the stack's data volumes, `volumes` the others."""

    containers: list[str]
    networks: list[str]
    volumes: list[str]
    images: list[str]
    data: list[StoredData]


def belongings(deployment: Deployment, *, with_images: bool) -> Belongings:
    """Return what belongs to the stack. Containers and networks are found by the label of its state, data volumes by
    their labels, other volumes by their names in its state. Raises EngineError."""
    owner = deployment.deployment_id()
    resources = deployment.resources()
    own = engine.deployment_filter(owner) if owner else None
    built = _outputs(resources, IMAGE, "name") if with_images else []
    containers = _names("container", own) if own else []
    # What a container of another state's stack of this name mounts is not ours to delete.
    data = [item for item in stored_data.find(deployment.stack.name) if set(item.users) <= set(containers)]
    return Belongings(
        containers=containers,
        networks=_names("network", own) if own else [],
        volumes=_volumes(deployment.stack.name, _outputs(resources, VOLUME, "name"), {item.name for item in data}),
        images=sorted(set(built)),
        data=data,
    )


def _volumes(stack: str, in_state: list[str], data: Collection[str]) -> list[str]:
    """Return the volumes of the state that exist, without those in `data`."""
    labelled = engine.docker(
        "volume", "ls", "--filter", "label=dyber.project=dyber", "--filter", f"label=dyber.stack={stack}",
        "--format", "{{.Name}}",
    ).split()  # fmt: skip
    holding = {item.name for item in data_volumes.labelled() if item.holds_data}
    return sorted(set(in_state) & set(labelled) - set(data) - holding)


def _names(kind: str, label: str) -> list[str]:
    listing = ["ps", "--all"] if kind == "container" else [kind, "ls"]
    column = "{{.Names}}" if kind == "container" else "{{.Name}}"
    return sorted(engine.docker(*listing, "--filter", label, "--format", column).split())


def _outputs(resources: Iterable[dict[str, Any]], type_token: str, key: str) -> list[str]:
    return [str(item["outputs"][key]) for item in resources if item["type"] == type_token and item.get("outputs")]


def remove(kind: str, name: str) -> None:
    """Remove what nobody uses; what is gone already, or used by somebody else, is left alone."""
    try:
        engine.docker(kind, "rm", name)
    except EngineError as error:
        text = str(error).lower()
        if "no such" not in text and "not found" not in text:
            err.print(Text(tr(f"保留 {name}（还有人使用）", f"kept {name} (still in use)"), style="yellow"))
