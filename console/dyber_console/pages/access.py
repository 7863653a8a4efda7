"""Lets only signed-in visitors through to pages, and checks the token of their forms."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dyber_console.identity.sessions import COOKIE, Session
from dyber_console.pages.preferences import back_to
from dyber_console.settings import BASE
from dyber_console.state import Console

SIGN_IN = f"{BASE}/login"
#: Longest body of a form, in bytes.
_LONGEST_FORM = 256 * 1024


class NotSignedIn(Exception):
    """Says that a page needs a session."""


class FormRefused(Exception):
    """Says that a sent form lacks its token, or is too long."""


def session_of(console: Console, request: Request) -> Session:
    """Return the session of a request and keep it in its state; raise NotSignedIn when there is none."""
    session = console.sessions.find(request.cookies.get(COOKIE), console.live.clock())
    if session is None:
        raise NotSignedIn
    request.state.session = session
    return session


async def sent_form(console: Console, request: Request) -> Mapping[str, str]:
    """Return the fields of a form that a signed-in visitor sent; raise NotSignedIn or FormRefused."""
    session = session_of(console, request)
    if int(request.headers.get("content-length") or 0) > _LONGEST_FORM:
        raise FormRefused
    form = await request.form(max_files=0, max_part_size=_LONGEST_FORM)
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    token = request.headers.get("x-csrf-token") or fields.pop("csrf", "")
    fields.pop("csrf", None)
    if not secrets.compare_digest(token.encode(), session.csrf.encode()):
        raise FormRefused
    return fields


def to_sign_in(request: Request) -> Response:
    """Return the way to the page to sign in; scripts get it as a header, as they cannot follow a redirect to a page."""
    target = SIGN_IN
    if request.method == "GET":
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        if back_to(path) == path and path != f"{BASE}/":
            target = f"{SIGN_IN}?next={quote(path)}"
    if request.headers.get("hx-request") == "true":
        return Response(status_code=401, headers={"HX-Redirect": target})
    return RedirectResponse(target, 303)
