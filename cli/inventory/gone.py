"""Finds what a stack's state still has but the engine has lost, for example after `docker prune` on a stopped stack."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cli.deployment.deployment import Deployment
from cli.engine import engine
from cli.engine.resource_types import CONTAINER, IMAGE, NETWORK, VOLUME
from cli.inventory.members import GONE, Member, in_order, kind_of, members_of
from cli.system.errors import StackError
from messages import tr


@dataclass(frozen=True)
class Gone:
    """The resources of a stack that the engine has lost.

    `containers` are members in the state `gone`, only those that are meant to run; everything else is given by name.
    Images alone do not count, as running containers do not need them and the next deployment makes them again.
    """

    containers: tuple[Member, ...] = ()
    networks: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.containers or self.networks or self.volumes)

    @property
    def stops_starting(self) -> bool:
        """Tell whether the remaining containers cannot be started because their network or their data is gone."""
        return bool(self.networks or self.volumes)

    def message(self) -> str:
        """Return one sentence that names everything that is gone."""
        parts = (
            (tr("containers"), [container.name for container in self.containers]),
            (tr("networks"), self.networks),
            (tr("images"), self.images),
            (tr("volumes"), self.volumes),
        )
        listed = "; ".join(f"{kind} {', '.join(names)}" for kind, names in parts if names)
        return tr("no longer on the engine (deleted, or removed by docker prune): {listed}", listed=listed)

    def next_step(self, stack: str) -> str:
        """Return the command that makes everything again, and say which data it cannot restore."""
        command = "./deploy.sh" if stack == "dev" else f"./deploy.sh -s {stack}"
        if lost := [name for name in self.volumes if name.endswith("-data")]:
            return tr(
                "{command} makes everything again; the data of {lost} can only be restored from a backup: "
                "./deploy.sh restore",
                command=command,
                lost=", ".join(lost),
            )
        return tr("{command} makes everything again; tokens, data and settings are kept", command=command)

    def error(self, stack: str) -> StackError:
        """Return the error for a command that needs something that is gone."""
        return StackError(self.message(), self.next_step(stack))


def find(deployment: Deployment, services: Iterable[str]) -> Gone:
    """Return the parts of a deployed stack that the engine no longer has. Raises EngineError."""
    return _missing(deployment, engine.containers(_label(deployment)), services)


def _missing(deployment: Deployment, containers: Iterable[Mapping[str, Any]], services: Iterable[str]) -> Gone:
    """Return what the engine no longer has; `containers` are the stack's containers that it still has."""
    present = {item["Id"] for item in containers}
    networks = {identity for _, identity, _ in engine.labelled_networks(_label(deployment))}
    volumes = {item["Name"] for item in engine.volumes()}
    return compare(deployment.resources(), present, networks, set(engine.images()), volumes, set(services))


def _label(deployment: Deployment) -> str:
    return engine.deployment_filter(deployment.require_id())


def compare(
    resources: Iterable[Mapping[str, Any]],
    containers: Collection[str],
    networks: Collection[str],
    images: Collection[str],
    volumes: Collection[str],
    services: set[str],
) -> Gone:
    """Return the `resources` of the state that the engine does not have.

    `containers` and `networks` are ids on the engine, `images` and `volumes` names.
    """
    lost: dict[str, list[Any]] = {CONTAINER: [], NETWORK: [], IMAGE: [], VOLUME: []}
    # Resources that wait for their deletion have already been replaced.
    for item in (item for item in resources if not item.get("delete")):
        kind, identity, inputs = item["type"], str(item.get("id")), item.get("inputs") or {}
        name = str((item.get("outputs") or {}).get("name") or inputs.get("name"))
        if kind == CONTAINER and inputs.get("mustRun") and identity not in containers:
            lost[kind].append(_placeholder(name, item, services))
        elif kind == NETWORK and identity not in networks:
            lost[kind].append(name)
        elif kind == IMAGE and name not in images:
            lost[kind].append(name)
        elif kind == VOLUME and name not in volumes:
            lost[kind].append(name)
    return Gone(*(tuple(lost[kind]) for kind in (CONTAINER, NETWORK, IMAGE, VOLUME)))


def with_gone(deployment: Deployment, services: Iterable[str]) -> tuple[list[Member], Gone]:
    """Return all members of a deployed stack, also those that are gone, and everything that is gone.

    The members are in the order in which they start. Raises EngineError.
    """
    services = list(services)
    containers = engine.containers(_label(deployment))
    missing = _missing(deployment, containers, services)
    everything = [*members_of(containers, services), *missing.containers]
    return in_order(everything), missing


def _placeholder(name: str, resource: Mapping[str, Any], services: set[str]) -> Member:
    inputs = resource["inputs"]
    labels = {str(item["label"]): str(item["value"]) for item in inputs.get("labels") or ()}
    service = labels.get("dyber.service", "")
    logical = str(resource["urn"]).rsplit("::", 1)[-1]
    replica = re.fullmatch(rf"{re.escape(service)}-server-(\d+)", logical)
    return Member(
        id="",
        name=name,
        service=service,
        kind=kind_of(service, services),
        replica=int(replica[1]) if replica else 1,
        state=GONE,
        health=None,
        started_at=None,
        restarts=0,
        image=str(inputs.get("image", "")),
        memory_bytes=0,
        stop_seconds=0,
        ports=(),
    )
