"""Shows Prometheus what the console knows from the files of deployments and commands."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from dyber_console.intake.files import Files
from dyber_console.state import Console

#: The gateway serves it in the network of Prometheus only, and not below the pages.
PATH = "/metrics"
_NAME = "dyber_console_unsaved_since_seconds"
_HELP = "When the last backup was made, or else the first deployment, in seconds since 1970."


def routes(console: Console) -> APIRouter:
    """Return the route of the metrics, in Prometheus' text format."""
    router = APIRouter()

    @router.get(PATH)
    async def metrics() -> Response:
        console.files.refresh()
        return PlainTextResponse(text(console.files), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router


def text(files: Files) -> str:
    """Return the metrics; without backups and deployments there are no samples."""
    since = unsaved_since(files)
    lines = [f"# HELP {_NAME} {_HELP}", f"# TYPE {_NAME} gauge", *([] if since is None else [f"{_NAME} {since}"])]
    return "\n".join(lines) + "\n"


def unsaved_since(files: Files) -> float | None:
    """Return since when changes are in no backup: since the last one, or since the first deployment that is known."""
    if backup := files.newest("backup"):
        return backup.at
    deployments = [event.at for event in files.history if event.kind == "deployment"]
    return min(deployments, default=None)
