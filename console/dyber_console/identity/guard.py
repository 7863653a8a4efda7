"""Checks every request before its page, and gives every answer the headers that keep browsers safe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dyber_console.settings import BASE

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_CHANGES_NOTHING = ("GET", "HEAD")
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_STATIC = f"{BASE}/static/"
#: The checks of the container's health, which ask from inside under any name.
_HEALTH = ("/health", "/ready")


@dataclass(frozen=True)
class Origin:
    """Says under which address a page was opened: its scheme, and its host with the port."""

    scheme: str
    host: str

    @property
    def name(self) -> str:
        """Return the host without the port, in lower case."""
        return host_name(self.host)

    @property
    def keeps_cookies(self) -> bool:
        """Return whether browsers accept the cookie of a session under this address."""
        return self.scheme == "https" or self.name in _LOOPBACK

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}"


class Guard:
    """Refuses requests for other hosts, and requests that change something but come from another site.

    Args:
        allowed_hosts: Host names without ports; `*` allows all.
    """

    def __init__(self, app: ASGIApp, allowed_hosts: tuple[str, ...]) -> None:
        self._app = app
        self._allowed_hosts = allowed_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request or refuse it."""
        if scope["type"] != "http" or scope["path"] in _HEALTH:
            await self._app(scope, receive, send)
            return

        async def send_safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
                if not scope["path"].startswith(_STATIC):
                    headers["Cache-Control"] = "no-store"
            await send(message)

        headers = Headers(scope=scope)
        refusal = self._refusal(scope["method"], headers, request_origin(headers, scope["scheme"]))
        if refusal is not None:
            await PlainTextResponse(refusal[1], refusal[0])(scope, receive, send_safe)
            return
        await self._app(scope, receive, send_safe)

    def _refusal(self, method: str, headers: Headers, origin: Origin) -> tuple[int, str] | None:
        if "*" not in self._allowed_hosts and origin.name not in self._allowed_hosts:
            return 421, "This host name does not belong to the console.\n"
        if method in _CHANGES_NOTHING:
            return None
        if method != "POST":
            return 405, "Only GET and POST are served.\n"
        return None if comes_from_page(headers, origin) else (403, "This request comes from another site.\n")


def comes_from_page(headers: Mapping[str, str], origin: Origin) -> bool:
    """Tell whether a request comes from a page of the console itself.

    Browsers say so in Sec-Fetch-Site where the address is HTTPS or this machine. Origin is `null` there, as pages send
    no referrer; where it has a value it must be the page's address.
    """
    site, sent = headers.get("sec-fetch-site"), headers.get("origin")
    matches = sent == str(origin)
    if site is not None:
        return site == "same-origin" and (sent is None or sent == "null" or matches)
    return matches


def request_origin(headers: Mapping[str, str], scheme: str) -> Origin:
    """Return the address under which the browser opened a page, which the gateway passes on."""
    return Origin(headers.get("x-forwarded-proto", scheme), headers.get("host", "").lower())


def caller_address(headers: Mapping[str, str], peer: str) -> str:
    """Return the caller's address: what the gateway put last into X-Forwarded-For, else the peer's."""
    return headers.get("x-forwarded-for", "").rpartition(",")[2].strip() or peer


def host_name(host: str) -> str:
    """Return a host without its port, in lower case."""
    try:
        parts = urlsplit(f"//{host}")
        name = parts.hostname or ""
    except ValueError:
        return ""
    return f"[{name}]" if ":" in name else name
