"""What belongs to one stack on the engine, and removing it. Nothing else on the engine is looked at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from cli import engine
from cli.console import err
from cli.engine import EngineError
from cli.stack import Deployment
from toolchain.language import tr


@dataclass(frozen=True)
class Belongings:
    """What `clean` deletes, by name."""

    containers: list[str]
    networks: list[str]
    volumes: list[str]
    images: list[str]


def belongings(deployment: Deployment, *, with_images: bool) -> Belongings:
    """What is the stack's: containers and networks by the label of its state, volumes by name as its state and its
    settings have them. Raises EngineError."""
    owner = deployment.deployment_id()
    resources = deployment.resources()
    own = engine.deployment_filter(owner) if owner else None
    built = _outputs(resources, "docker:index/remoteImage:RemoteImage", "name") if with_images else []
    return Belongings(
        containers=_names("container", own) if own else [],
        networks=_names("network", own) if own else [],
        volumes=_volumes(deployment.stack.name, _outputs(resources, "docker:index/volume:Volume", "name")),
        images=sorted(set(built)),
    )


def _volumes(stack: str, in_state: list[str]) -> list[str]:
    """The state's volumes that exist, and those that outlived an earlier deployment of the stack (dataRetention: keep);
    not one that a container of somebody else uses."""
    labelled = engine.docker(
        "volume", "ls", "--filter", "label=dyber.project=dyber", "--filter", f"label=dyber.stack={stack}",
        "--format", "{{.Name}}",
    ).split()  # fmt: skip
    retained = [name for name in labelled if name.startswith(f"dyber-{stack}-") and name not in in_state]
    unused = [name for name in retained if not engine.docker("ps", "-aq", "--filter", f"volume={name}").split()]
    return sorted({name for name in in_state if name in labelled} | set(unused))


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
