"""Chooses a page's language and theme by the visitor's cookies, and changes them on request."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dyber_console.language import LANGUAGES, Language, preferred_language, using_language
from dyber_console.settings import BASE, Settings
from dyber_console.verdicts.times import timezone

LANGUAGE_COOKIE = "dyber-console-language"
THEME_COOKIE = "dyber-console-theme"
THEMES = ("auto", "light", "dark")
_YEAR = 31_536_000


class Preferences:
    """Sets language, theme and time zone for each request."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request in the visitor's language."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        theme = request.cookies.get(THEME_COOKIE, "")
        request.state.theme = theme if theme in THEMES else "auto"
        timezone.set(self._settings.timezone)
        with using_language(_language(request, self._settings.language)):
            await self._app(scope, receive, send)


def _language(request: Request, default: Language) -> Language:
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    for known in LANGUAGES:
        if chosen == known:
            return known
    return preferred_language(request.headers.get("accept-language", ""), default)


async def change(request: Request) -> Response:
    """Keep the language or the theme of a sent form, and go back to its page."""
    content = parse_qs((await request.body()).decode("utf-8", errors="replace"))
    answer = RedirectResponse(back_to(content.get("back", [""])[0]), 303)
    for name, cookie, known in (("language", LANGUAGE_COOKIE, LANGUAGES), ("theme", THEME_COOKIE, THEMES)):
        value = content.get(name, [""])[0]
        if value in known:
            answer.set_cookie(
                cookie, value, max_age=_YEAR, path=f"{BASE}/", samesite="strict", httponly=True,
                secure=request.url.scheme == "https",
            )  # fmt: skip
    return answer


def back_to(path: str) -> str:
    """Return a path of the console to go back to; its overview for any other address."""
    is_ours = path.startswith(f"{BASE}/") and "\\" not in path and not any(ord(letter) < 33 for letter in path)
    return path if is_ours else f"{BASE}/"
