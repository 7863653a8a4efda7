"""Finds what belongs to a service in each stack, deletes its data, and moves its folder away."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pulumi import automation as auto

from cli.deployment.state import edits as state_edits
from cli.engine import engine, stored_data
from cli.engine.resource_types import CONTAINER, VOLUME
from cli.engine.stored_data import StoredData
from cli.inventory import remains
from cli.services.leftover_settings import WithoutService
from cli.system.checkout import ROOT
from infra.schema.problems import ConfigurationError
from infra.services.catalog import ServiceSpec, declared_secrets
from infra.settings import env_file
from infra.settings.env_file import EnvFile
from infra.settings.names import stack_file
from infra.settings.secrets import as_ciphertext
from infra.settings.stack import StackSettings, parse_settings, read_overrides

#: The folder for removed services in the repository, which git ignores.
REMOVED = ".removed-services"


@dataclass(frozen=True)
class Deployed:
    """The containers (by name) and data volumes of one service in one stack.

    `stack` is None if no state has a stack of this `name`, and only data is left.
    """

    name: str
    stack: auto.Stack | None
    containers: tuple[str, ...]
    data: tuple[StoredData, ...]

    def delete_data(self) -> None:
        """Delete the data and the containers that use it; each container first gets its time to end running calls.

        Raises EngineError.
        """
        containers = [item for name in self.containers for item in engine.containers(f"name=^{re.escape(name)}$")]
        remains.remove_containers(containers)
        gone = stored_data.delete(self.data)
        if self.stack:
            state_edits.forget(self.stack, {*gone, *self.containers}, [VOLUME, CONTAINER])


def deployed(service: str) -> list[Deployed]:
    """Return every stack that has containers or data of `service`."""
    data: dict[str, list[StoredData]] = {}
    for item in stored_data.find():
        if item.service == service:
            data.setdefault(item.stack, []).append(item)
    names = [summary.name for summary in auto.LocalWorkspace(work_dir=str(ROOT)).list_stacks()]
    stacks: dict[str, auto.Stack | None] = dict.fromkeys(data)
    for name in names:
        if (ROOT / stack_file(name)).is_file():
            stacks[name] = auto.select_stack(stack_name=name, work_dir=str(ROOT))
    result = []
    for name, stack in sorted(stacks.items()):
        resources = list((stack.export_stack().deployment or {}).get("resources") or []) if stack else []
        containers = tuple(str(item["outputs"]["name"]) for item in containers_of(resources, service))
        if containers or name in data:
            result.append(Deployed(name, stack, containers, tuple(data.get(name, ()))))
    return result


def containers_of(resources: list[dict[str, Any]], service: str) -> list[dict[str, Any]]:
    """Return the containers in a state that are children of the component of `service`."""
    return [
        resource
        for resource in resources
        if resource["type"] == CONTAINER
        and str(resource.get("parent", "")).endswith(f"dyber:service:McpService::{service}")
    ]


def broken_settings(
    root: Path, catalog: Mapping[str, ServiceSpec], service: str, changed: Sequence[WithoutService] = ()
) -> list[str]:
    """Return problems that the stack files would have without `service`, as texts that name file and key.

    `changed` are files that the service was taken out of already.
    """
    without = {name: spec for name, spec in catalog.items() if name != service}
    declared = {name: secrets for name, secrets in declared_secrets(root / "mcp-servers").items() if name != service}
    texts = {item.file.path: item.file.text() for item in changed}
    problems = []
    for file in sorted(root.glob("Pulumi.*.yaml")):
        stack = file.name.split(".")[1]
        text = file.read_text(encoding="utf-8")
        try:
            _settings(stack, text, read_overrides(root, stack)).select(catalog)
        except ConfigurationError:
            continue  # The file is unusable with the service too; the next deployment reports that.
        try:
            _settings(stack, texts.get(file, text), env_file.read(root, stack, declared)).select(without)
        except ConfigurationError as error:
            problems += [problem.text() for problem in error.problems]
    return problems


def _settings(stack: str, text: str, overrides: EnvFile) -> StackSettings:
    content = (yaml.safe_load(text) or {}).get("config") or {}
    readable = {key: as_ciphertext(value) for key, value in content.items()}
    values = {key: value if isinstance(value, str) else json.dumps(value) for key, value in readable.items()}
    return parse_settings(stack, values, overrides=overrides)


def move_aside(root: Path, folder: Path) -> Path:
    """Move a service's folder out of mcp-servers/, and return its new place."""
    kept = root / REMOVED / f"{folder.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    kept.parent.mkdir(exist_ok=True)
    folder.rename(kept)
    return kept
