"""Looks for drift on a stack's engine and changes nothing."""

from __future__ import annotations

import hashlib

from cli.deployment.deployment import Deployment
from cli.drift import differences
from cli.drift.differences import Delivery, Difference
from cli.engine import archives, engine
from cli.engine.engine import EngineError
from cli.terminal.console import Activities
from messages import tr


def find(deployment: Deployment, display: Activities) -> list[Difference]:
    """Return everything that differs; nothing changes, not even the state.

    Raises StackError for a stack that is not deployed or in use just now, DeployError, EngineError.
    """
    deployment.require_id()
    deployment.require_idle()
    with display.phase(tr("Comparing stack {name}", name=deployment.stack.name)):
        return [
            *differences.unfinished(deployment.state()),
            *differences.refreshed(deployment.refreshed(display)),
            *unseen(deployment),
        ]


def unseen(deployment: Deployment) -> list[Difference]:
    """Return the differences that no refresh notices: pauses, names, networks, delivered files. Raises EngineError."""
    label = engine.deployment_filter(deployment.require_id())
    containers, resources = engine.containers(label), deployment.resources()
    networks = {identity: name for _, identity, name in engine.labelled_networks(label)}
    unnoticed = differences.unseen(resources, containers, networks, engine.images())
    container_ids = {item["Id"] for item in containers}
    delivered = [item for item in differences.deliveries(resources) if item.loader in container_ids]
    return unnoticed + [difference for item in delivered if (difference := item.compare(_present(item)))]


def _present(delivery: Delivery) -> dict[str, str]:
    """Return the SHA-256 by path of the delivered files that the volume has; {} when their folder is gone."""
    try:
        with archives.reading(delivery.loader, f"{delivery.folder}/.") as tar:
            return {
                member.name.removeprefix("./"): hashlib.sha256(content.read()).hexdigest()
                for member in tar
                if (content := tar.extractfile(member)) is not None
            }
    except EngineError:
        return {}
