"""Serves MCP at each address of the hub, over Streamable HTTP and legacy SSE, and finds the address of a request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dyber_kit.calling.scopes import RAW_SCOPE_HEADER, SCOPE_HEADER
from dyber_kit.serving.app import no_such_address
from dyber_kit.serving.mcp.exchanges import Exchanges, Stored
from dyber_kit.serving.mcp.legacy_sse import LegacySessions, LegacySseMiddleware
from dyber_kit.serving.mcp.streams import rpc_error
from dyber_kit.serving.mcp.transport import MCP_PATH, MESSAGE_PATH, SSE_PATH, McpTransport
from dyber_kit.settings import Settings
from mcp.server.lowlevel import Server
from mcp.server.sse import SseServerTransport
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import INVALID_REQUEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dyber_hub.scopes import request_hub_scope
from dyber_hub.texts import tr_lazy
from dyber_hub.views import View

#: Beginnings of the addresses beside that of the whole stack.
GROUPS_PREFIX, SEARCH_PREFIX = "/groups", "/search"

_MOUNTED = re.compile(rf"(?:{GROUPS_PREFIX}/[^/]+(?:{SEARCH_PREFIX})?|{SEARCH_PREFIX})(?=/)")
_MCP_PATHS = {MCP_PATH, SSE_PATH, MESSAGE_PATH.rstrip("/")}
# The gateway checks Host and Origin.
_GATEWAY_CHECKS_HOSTS = TransportSecuritySettings(enable_dns_rebinding_protection=False)
_NO_SCOPE = tr_lazy(
    "The hub takes requests from its gateway only: the header {header} is missing; use the gateway's address",
    header=SCOPE_HEADER,
)


class Address:
    """Serves the MCP server of one address; requests are answered only inside `exchanges.running()`.

    Args:
        view: What the address offers.
        server: Answers its requests.
        stored: Answers those whose result is stored.
    """

    def __init__(self, view: View, server: Server[Any], stored: Stored | None = None) -> None:
        self.view = view
        self.server = server
        # Services check the headers that repeat arguments; the hub passes them on.
        self.exchanges = Exchanges(server, {}, lambda name, headers: False, stored)

    def sse_routes(self) -> list[BaseRoute]:
        """Return the routes of legacy SSE, below the beginning of the address."""
        sse = SseServerTransport(MESSAGE_PATH, security_settings=_GATEWAY_CHECKS_HOSTS)

        async def open_stream(request: Request) -> Response:
            async with sse.connect_sse(request.scope, request.receive, request._send) as (read, write):
                await self.server.run(read, write, self.server.create_initialization_options())
            return Response()

        return [Route(SSE_PATH, open_stream, methods=["GET"]), Mount(MESSAGE_PATH, app=sse.handle_post_message)]

    def app(self, settings: Settings, sessions: LegacySessions, rest: ASGIApp | None = None) -> ASGIApp:
        """Return the application that serves the address.

        Args:
            settings: The settings of the process.
            sessions: Where open legacy sessions are kept.
            rest: Serves every other path; it has the address's `sse_routes`. By default there is no other path.
        """
        rest = rest or Starlette(routes=self.sse_routes(), exception_handlers={404: no_such_address})
        legacy = LegacySseMiddleware(rest, sessions, SSE_PATH, MESSAGE_PATH)
        return McpTransport(legacy, self.exchanges, settings.max_body_bytes)


@dataclass(frozen=True)
class Mounted:
    """Holds the application of an address beside that of the whole stack, and what it offers."""

    app: ASGIApp
    view: View


class Addresses:
    """Passes each request to the application of its address.

    An address that does not exist, and one at which the caller may use nothing, are answered alike.

    Args:
        whole: Serves everything that no other application does.
        mounted: The other applications by the beginnings of their addresses, such as `/groups/pet`.
        require_scope: Whether a request without a scope is refused, because a gateway sets it.
    """

    def __init__(self, whole: ASGIApp, mounted: Mapping[str, Mounted], *, require_scope: bool) -> None:
        self._whole = whole
        self._mounted = mounted
        self._require_scope = require_scope

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self._whole(scope, receive, send)
            return
        prefix: str = scope.get("root_path", "")
        path = scope["path"].removeprefix(prefix)
        beginning = _MOUNTED.match(path)
        below = path[beginning.end() :] if beginning else path
        if below.rstrip("/") in _MCP_PATHS and self._lacks_scope(scope):
            await rpc_error(send, 403, INVALID_REQUEST, str(_NO_SCOPE), with_body=scope["method"] != "HEAD")
        elif beginning is None:
            await self._whole(scope, receive, send)
        else:
            mounted = self._mounted.get(beginning[0])
            caller = request_hub_scope(scope["headers"], required=self._require_scope)
            if mounted is not None and mounted.view.has_anything(caller):
                await mounted.app({**scope, "root_path": prefix + beginning[0]}, receive, send)
            else:
                answer = await no_such_address(Request(scope), HTTPException(404))
                await answer(scope, receive, send)

    def _lacks_scope(self, scope: Scope) -> bool:
        return self._require_scope and all(name != RAW_SCOPE_HEADER for name, _ in scope["headers"])
