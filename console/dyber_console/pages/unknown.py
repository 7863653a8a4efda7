"""Answers addresses that no page has with a way back."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from dyber_console.language import tr
from dyber_console.pages.access import NotSignedIn, session_of, to_sign_in
from dyber_console.pages.rendering import Renderer
from dyber_console.settings import BASE
from dyber_console.state import Console


def unknown_page(console: Console, renderer: Renderer, request: Request) -> Response:
    """Return a page that leads to the overview; visitors who are not signed in are led to sign in."""
    if request.method != "GET" or not request.url.path.startswith(f"{BASE}/"):
        return PlainTextResponse("There is no such page.\n", 404)
    try:
        session_of(console, request)
    except NotSignedIn:
        return to_sign_in(request)
    return renderer.page(
        request,
        "message.html",
        "unknown",
        404,
        heading=tr("There is no such page"),
        text=tr("The address may be mistyped, or from another version of the console."),
        link=f"{BASE}/",
        words=tr("To the overview"),
    )
