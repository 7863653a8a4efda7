"""Refuses requests that the caller's scope does not include, before anything of the service runs.

The MCP server itself decides about single tools; here stand the rules for whole requests: REST routes and everything
else beside MCP need the scope `all`, and nothing at all is open to a caller without a usable scope, or to a caller that
is limited to accounts of a service that has none.
"""

from __future__ import annotations

from mcp.types import INVALID_REQUEST
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from dyber_kit.calling.scopes import NOTHING, RAW_SCOPE_HEADER, SCOPE_HEADER, request_scope
from dyber_kit.language import tr_lazy
from dyber_kit.serving.docs import DOCS_PATH, OPENAPI_PATH
from dyber_kit.serving.mcp.streams import rpc_error
from dyber_kit.serving.mcp.transport import MCP_PATH, MESSAGE_PATH, SSE_PATH

_MCP_PATHS = {MCP_PATH, SSE_PATH, MESSAGE_PATH.rstrip("/")}
#: What tells of the service and runs nothing: container checks, Prometheus and browsers ask without a scope.
_OPEN_PATHS = {"/health", "/ready", "/metrics", OPENAPI_PATH, DOCS_PATH}
_NO_SCOPE = tr_lazy(
    "This service takes requests from its gateway only: the header {header} is missing or unreadable; use the "
    "gateway's address",
    header=SCOPE_HEADER,
)
_NOT_ALL = tr_lazy(
    "This address takes the scope all of this service; clients of some tools or accounts use {address}",
    address=MCP_PATH,
)
_NO_ACCOUNTS = tr_lazy(
    "This service has no accounts, so a client cannot be limited to some of them; the operator must remove it from the "
    "setting clients.<name>.accounts"
)


class ScopeGuard:
    """Passes requests to `app` when the caller's scope includes their address.

    Args:
        app: The service.
        required: Whether a request without a scope is refused (DYBER_REQUIRE_SCOPE).
        expected: Whether it is refused once a request had a scope (DYBER_EXPECT_SCOPE). While a deployment replaces a
            gateway of before, which sends none and lets no client of some tools through, its calls are still served.
        has_accounts: Whether callers can be limited to accounts of the service; where they cannot, those that are
            limited may use nothing.
    """

    def __init__(self, app: ASGIApp, required: bool, expected: bool = False, *, has_accounts: bool = True) -> None:
        self._app = app
        self._required = required
        self._expected = expected
        self._has_accounts = has_accounts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._expected and not self._required:
            self._required = any(name == RAW_SCOPE_HEADER for name, _ in scope["headers"])
        granted = request_scope(scope["headers"], required=self._required)
        refusal = _NO_SCOPE
        if granted.accounts is not None and not self._has_accounts:
            granted, refusal = NOTHING, _NO_ACCOUNTS
        if granted.allows_everything:
            await self._app(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if scope["method"] in ("GET", "HEAD") and _is_open(path):
            await self._app(scope, receive, send)
        elif path.rstrip("/") in _MCP_PATHS:
            if granted != NOTHING:
                await self._app(scope, receive, send)
            else:
                await rpc_error(send, 403, INVALID_REQUEST, str(refusal), with_body=scope["method"] != "HEAD")
        else:
            reason = refusal if granted == NOTHING else _NOT_ALL
            body = {"status": "error", "code": "forbidden", "error": str(reason)}
            await JSONResponse(body, status_code=403)(scope, receive, send)


def _is_open(path: str) -> bool:
    return path.rstrip("/") in _OPEN_PATHS or path.startswith(f"{DOCS_PATH}/")
