"""Tells the consoles of other stacks on the engine what a stack runs, so that they show environments side by side."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cli.records import history
from cli.records.history import History

if TYPE_CHECKING:
    from cli.deployment.deployment import Deployment


def tell(deployment: Deployment) -> None:
    """Store what a deployed stack runs for the consoles of the other stacks of the engine.

    Raises EngineError, StackError and ConfigurationError.
    """
    others = _others(deployment.name, deployment.deployment_id())
    if not others:
        return
    from cli.system.checkout import ROOT
    from infra.rendering.console.files import NOW, console_files
    from infra.services.catalog import load_catalog

    specs = deployment.settings.select(load_catalog(ROOT / "mcp-servers"))
    files = console_files(deployment.settings, specs, deployment.outputs()["images"])
    files["deployment.json"] = files["deployment.json"].replace(NOW, datetime.now(UTC).isoformat(timespec="seconds"))
    for place in others:
        place.store_stack(deployment.name, files)


def forget(stack: str) -> None:
    """Remove what the consoles of the other stacks of the engine know of a stack. Raises EngineError."""
    for place in _others(stack, None):
        place.store_stack(stack, {})


def _others(stack: str, deployment: str | None) -> list[History]:
    return [place for place in history.find() if place.stack != stack and place.deployment != deployment]
