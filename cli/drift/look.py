"""Looks for drift on a stack's engine and changes nothing."""

from __future__ import annotations

import hashlib

from cli.deployment.deployment import Deployment
from cli.drift import differences, present
from cli.drift.differences import Delivery, Difference
from cli.drift.present import Present
from cli.engine import archives
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
            *unseen(deployment, present.read(deployment.deployment_id())),
        ]


def unseen(deployment: Deployment, on_engine: Present) -> list[Difference]:
    """Return the differences that no refresh notices: pauses, names, networks, delivered files. Raises EngineError."""
    resources = deployment.resources()
    unnoticed = differences.unseen(resources, on_engine.containers.values(), on_engine.networks, on_engine.images)
    delivered = [item for item in differences.deliveries(resources) if item.loader in on_engine.containers]
    return unnoticed + [difference for item in delivered if (difference := item.compare(_delivered(item)))]


def _delivered(delivery: Delivery) -> dict[str, str]:
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
