"""Signs visitors in with the password, and out."""

from __future__ import annotations

import math
from urllib.parse import urlencode

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
#: Value of `cookie` in the address to which a right password leads.
_MISSING = "missing"


def routes(console: Console, renderer: Renderer) -> APIRouter:
    """Return the routes of the page to sign in."""
    router = APIRouter()

    def page(request: Request, status: int = 200, **shown: object) -> Response:
        origin = request_origin(request.headers, request.url.scheme)
        values = {"left": None, "locked": 0, "next": "", "is_cookie_missing": False, **shown}
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
    async def show(request: Request, next: str = "", cookie: str = "") -> Response:
        is_cookie_missing = cookie == _MISSING
        if is_cookie_missing and console.sessions.find(request.cookies.get(COOKIE), console.live.clock()):
            return RedirectResponse(back_to(next), 303)
        locked = console.tries.locked_seconds(_address(request), console.live.clock())
        shown = back_to(next) if next else ""
        return page(request, locked=math.ceil(locked), next=shown, is_cookie_missing=is_cookie_missing)

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
        # This address leads on when the cookie comes back, else it says that the browser did not keep it.
        query = {"cookie": _MISSING} | ({"next": shown} if shown else {})
        answer = RedirectResponse(f"{SIGN_IN}?{urlencode(query)}", 303)
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
