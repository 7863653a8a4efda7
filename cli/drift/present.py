"""Reads from the engine what a stack has there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cli.engine import engine


@dataclass(frozen=True)
class Present:
    """What the engine has of a stack.

    `containers` are described by `docker inspect`, by id; `networks` are names by id, `volumes` labels by name, and
    `images` the ids of all images of the engine by name.
    """

    containers: Mapping[str, Mapping[str, Any]]
    networks: Mapping[str, str]
    volumes: Mapping[str, Mapping[str, str]]
    images: Mapping[str, str]


def read(deployment: str | None) -> Present:
    """Return what the engine has of the deployment with this id; nothing before the first one. Raises EngineError."""
    if deployment is None:
        return Present({}, {}, {}, {})
    label = engine.deployment_filter(deployment)
    return Present(
        {item["Id"]: item for item in engine.containers(label)},
        {identity: name for _, identity, name in engine.labelled_networks(label)},
        {item["Name"]: item["Labels"] or {} for item in engine.volumes("label=dyber.project=dyber")},
        engine.images(),
    )
