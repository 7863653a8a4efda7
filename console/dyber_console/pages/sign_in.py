"""Signs visitors in with the password, and out."""

from __future__ import annotations

import math

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dyber_console.identity.guard import caller_address, request_origin
from dyber_console.identity.sessions import COOKIE, KEPT_SECONDS
from dyber_console.pages.access import SIGN_IN, sent_form
from dyber_console.pages.preferences import back_to
from dyber_console.pages.rendering import Renderer
from dyber_console.settings import BASE
from dyber_console.state import Console

_LONGEST_FORM = 4096


def routes(console: Console, renderer: Renderer) -> APIRouter:
    """Return the routes of the page to sign in."""
    router = APIRouter()

    def page(request: Request, status: int = 200, **shown: object) -> Response:
        origin = request_origin(request.headers, request.url.scheme)
        values = {"left": None, "locked": 0, "next": "", **shown}
        return renderer.bare(
            request,
            "sign_in.html",
            status,
            host=origin.host,
            keeps_cookies=origin.keeps_cookies,
            answers=not console.live.is_stale,
            **values,
        )

    @router.get(SIGN_IN)
    async def show(request: Request, next: str = "") -> Response:
        locked = console.tries.locked_seconds(_address(request), console.live.clock())
        return page(request, locked=math.ceil(locked), next=back_to(next) if next else "")

    @router.post(SIGN_IN)
    async def sign_in(request: Request) -> Response:
        now, address = console.live.clock(), _address(request)
        if int(request.headers.get("content-length") or 0) > _LONGEST_FORM:
            return page(request, 413)
        form = await request.form(max_files=0, max_fields=8)
        target = back_to(str(form.get("next") or ""))
        shown = target if form.get("next") else ""
        if locked := console.tries.locked_seconds(address, now):
            return page(request, 429, locked=math.ceil(locked), next=shown)
        # Counted before the check, so that many tries at once are not free.
        left = console.tries.note_wrong(address, now)
        if not await console.password.is_right(str(form.get("password") or "")):
            locked = console.tries.locked_seconds(address, now)
            return page(request, 429 if locked else 403, left=left, locked=math.ceil(locked), next=shown)
        console.tries.note_right(address)
        if before := console.sessions.find(request.cookies.get(COOKIE), now):
            console.sessions.end(before)
        keep = form.get("keep") == "1"
        answer = RedirectResponse(target, 303)
        answer.set_cookie(
            COOKIE,
            console.sessions.start(keep, now),
            max_age=KEPT_SECONDS if keep else None,
            path="/",
            secure=True,
            httponly=True,
            samesite="strict",
        )
        return answer

    @router.post(f"{BASE}/logout")
    async def sign_out(request: Request) -> Response:
        await sent_form(console, request)
        console.sessions.end(request.state.session)
        answer = RedirectResponse(SIGN_IN, 303)
        answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
        return answer

    return router


def _address(request: Request) -> str:
    return caller_address(request.headers, request.client.host if request.client else "")
