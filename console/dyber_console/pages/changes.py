"""Shows the deployments of the stack, and how the engine differs from what was deployed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from dyber_console.intake.files import Event
from dyber_console.pages.access import session_of
from dyber_console.pages.frame import frame
from dyber_console.pages.rendering import Renderer
from dyber_console.settings import BASE
from dyber_console.state import Console

_SHOWN = 30


@dataclass(frozen=True)
class DeploymentLine:
    """Holds a deployment of the history; fields that its line lacks are empty."""

    at: float
    outcome: str
    operations: Mapping[str, int]
    seconds: float | None
    reason: str
    who: str
    commit: str


@dataclass(frozen=True)
class DriftLine:
    """Holds what differs on the engine: the resource, how it differs, and what brings it back."""

    resource: str
    details: str
    way_back: str


def routes(console: Console, renderer: Renderer) -> APIRouter:
    """Return the route of the page."""
    router = APIRouter()

    @router.get(f"{BASE}/changes")
    async def changes(request: Request) -> Response:
        session_of(console, request)
        drift = console.files.newest("drift")
        return renderer.page(
            request,
            "changes.html",
            "changes",
            frame=frame(console),
            deployments=[_deployment(event) for event in console.files.history if event.kind == "deployment"][:_SHOWN],
            drift=drift,
            differences=[_difference(each) for each in (drift.content.get("differences") or ())] if drift else [],
        )

    return router


def _deployment(event: Event) -> DeploymentLine:
    content = event.content
    operations, seconds = content.get("operations"), content.get("seconds")
    return DeploymentLine(
        event.at,
        str(content.get("outcome", "")),
        operations if isinstance(operations, dict) else {},
        float(seconds) if isinstance(seconds, int | float) else None,
        str(content.get("reason") or ""),
        str(content.get("who") or ""),
        str(content.get("commit") or ""),
    )


def _difference(entry: Any) -> DriftLine:
    if not isinstance(entry, dict):
        return DriftLine(str(entry), "", "")
    names = ("resource", "details", "way_back")
    return DriftLine(*(str(entry.get(name) or "") for name in names))
