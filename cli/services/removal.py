"""What removing a service takes away, and keeping its data from being taken along."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pulumi import automation as auto
from stack.catalog import ServiceSpec
from stack.errors import ConfigurationError
from stack.secret_settings import as_ciphertext
from stack.settings import parse_settings, read_overrides, stack_file

from cli.stack import ROOT

#: Where removed folders go, in the repository; not under version control.
REMOVED = ".removed-services"
VOLUME, CONTAINER = "docker:index/volume:Volume", "docker:index/container:Container"


@dataclass(frozen=True)
class Deployed:
    """What a deployed stack has of one service: names of containers and data volumes."""

    stack: auto.Stack
    containers: tuple[str, ...]
    volumes: tuple[str, ...]

    def keep_data(self, service: str, keep: bool) -> None:
        """Decide what the next deployment does with the data of a service that is no longer there.

        In the state, as of what the program no longer names Pulumi asks only there.
        """
        exported = self.stack.export_stack()
        if retain_volumes(exported.deployment or {}, service, keep):
            self.stack.import_stack(exported)


def deployed(service: str) -> list[Deployed]:
    """Every stack that has a file here, is deployed and has something of `service`."""
    names = [summary.name for summary in auto.LocalWorkspace(work_dir=str(ROOT)).list_stacks()]
    found = []
    for name in sorted(name for name in names if (ROOT / stack_file(name)).is_file()):
        stack = auto.select_stack(stack_name=name, work_dir=str(ROOT))
        resources = list((stack.export_stack().deployment or {}).get("resources") or [])
        containers, volumes = (
            tuple(str(resource["outputs"]["name"]) for resource in of_service(resources, service, kind))
            for kind in (CONTAINER, VOLUME)
        )
        if containers or volumes:
            found.append(Deployed(stack, containers, volumes))
    return found


def of_service(resources: list[dict[str, Any]], service: str, kind: str) -> list[dict[str, Any]]:
    """The resources of type `kind` in a state that belong to the component of `service`."""
    return [
        resource
        for resource in resources
        if resource["type"] == kind and str(resource.get("parent", "")).endswith(f"dyber:service:McpService::{service}")
    ]


def retain_volumes(state: Mapping[str, Any], service: str, keep: bool) -> bool:
    """In a stack's `state`, say of the service's data volumes whether they outlive their resource, as the resource
    option retainOnDelete would have; whether that changed anything."""
    changed = False
    for volume in of_service(list(state.get("resources") or []), service, VOLUME):
        if bool(volume.get("retainOnDelete")) != keep:
            volume["retainOnDelete"] = keep
            changed = True
    return changed


def broken_settings(root: Path, catalog: Mapping[str, ServiceSpec], service: str) -> list[str]:
    """What the stack files say of `service` and could no longer, were it gone: messages naming file and key."""
    without = {name: spec for name, spec in catalog.items() if name != service}
    problems = []
    for file in sorted(root.glob("Pulumi.*.yaml")):
        stack = file.name.split(".")[1]
        content = (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("config") or {}
        readable = {key: as_ciphertext(value) for key, value in content.items()}
        values = {key: value if isinstance(value, str) else json.dumps(value) for key, value in readable.items()}
        try:
            settings = parse_settings(stack, values, overrides=read_overrides(root, stack))
            settings.select(catalog)
        except ConfigurationError:
            continue  # Unusable with the service too; the next deployment says why.
        try:
            settings.select(without)
        except ConfigurationError as error:
            problems += str(error).splitlines()
    return problems


def move_aside(root: Path, folder: Path) -> Path:
    """Take a service's folder out of mcp-servers/, in one step and with all that is in it; returns its new place."""
    kept = root / REMOVED / f"{folder.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    kept.parent.mkdir(exist_ok=True)
    os.rename(folder, kept)
    return kept
