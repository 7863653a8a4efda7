"""Serves the MCP addresses: answers requests, or refuses them with a sentence that names the right address.

Messages of Streamable HTTP go to `serving.exchanges`, except those of older clients that have a session; the legacy SSE
addresses are passed on, after the same checks.
"""

from __future__ import annotations

import logging
from typing import Any

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER, find_duplicated_routing_header
from mcp.types import (
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    PARSE_ERROR,
    PROTOCOL_VERSION_META_KEY,
    UNSUPPORTED_PROTOCOL_VERSION,
    jsonrpc_message_adapter,
)
from mcp.types.version import HANDSHAKE_PROTOCOL_VERSIONS, KNOWN_PROTOCOL_VERSIONS
from pydantic import ValidationError
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from dyber_kit.errors import KINDS, ErrorCode, ServiceError
from dyber_kit.language import joined_names, tr
from dyber_kit.observing.logs import current_request, without_values
from dyber_kit.serving.bodies import parse_json, read_body
from dyber_kit.serving.mcp.accept import Form, answer_form
from dyber_kit.serving.mcp.exchanges import Exchanges, protocol_version
from dyber_kit.serving.mcp.spans import join_trace, name_request
from dyber_kit.serving.mcp.streams import escaped_lines, rpc_error

logger = logging.getLogger("dyber.transport")

MCP_PATH = "/mcp"
SSE_PATH = "/mcp/sse"
MESSAGE_PATH = "/mcp/messages/"
SESSION_ID = "mcp-session-id"

_ACCEPT_BOTH = b"application/json, text/event-stream"
_FINISHED = object()
_LONGEST_NAME = 256


class McpTransport:
    """Answers the MCP addresses; passes every other request to `app`.

    Args:
        app: The rest of the service, with the SDK's legacy SSE routes.
        exchanges: Answers the messages of Streamable HTTP that need no session.
        max_body_bytes: Longest body of a request.
        sessions: The SDK's session manager with sessions, for older clients of a service whose tools ask; None for a
            service without any.
    """

    def __init__(
        self,
        app: ASGIApp,
        exchanges: Exchanges,
        max_body_bytes: int,
        sessions: StreamableHTTPSessionManager | None = None,
    ) -> None:
        self._app = app
        self._exchanges = exchanges
        self._max_body_bytes = max_body_bytes
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        prefix = scope.get("root_path", "")
        path = scope["path"].removeprefix(prefix)
        method = scope["method"]
        if path.rstrip("/") == MCP_PATH:
            if method == "POST":
                await self._streamable(scope, receive, send)
            elif method == "DELETE" and self._sessions is not None and SESSION_ID in Headers(scope=scope):
                await _guarded(self._sessions, scope, receive, send)
            else:
                await _wrong_method("POST", _mcp_hint(prefix), send, method)
        elif path.rstrip("/") == SSE_PATH:
            if method == "GET":
                await self._app({**scope, "path": prefix + SSE_PATH}, receive, escaped_lines(send))
            else:
                await _wrong_method("GET", _sse_hint(prefix), send, method)
        elif path.rstrip("/") == MESSAGE_PATH.rstrip("/"):
            if method == "POST":
                await self._message({**scope, "path": prefix + MESSAGE_PATH}, receive, send)
            else:
                await _wrong_method("POST", _message_hint(prefix), send, method)
        else:
            await self._app(scope, receive, send)

    async def _streamable(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        read = await self._read(headers, receive, send)
        if read is _FINISHED:
            return
        body, message = read
        name_request(message, headers, scope["headers"])
        form = answer_form(headers.get("accept"), _wants_progress(message))
        if form is None:
            await rpc_error(
                send,
                406,
                INVALID_REQUEST,
                tr("Answers are JSON or an event stream; send Accept: application/json, text/event-stream"),
                message.get("id"),
            )
            return
        problem = _version_problem(headers, message)
        if problem is not None:
            await rpc_error(send, 400, *problem[:2], message.get("id"), problem[2])
            return
        if self._sessions is not None and form is not Form.JSON and _wants_session(message, headers):
            sdk_scope = _for_sdk(scope, message, headers)
            await _guarded(self._sessions, sdk_scope, _replay(body, receive), escaped_lines(send))
        else:
            await self._exchanges.answer(message, form, headers, scope, receive, send)

    async def _message(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        read = await self._read(headers, receive, send)
        if read is not _FINISHED:
            join_trace(read[1], headers)
            await self._app(scope, _replay(read[0], receive), send)

    async def _read(self, headers: Headers, receive: Receive, send: Send) -> Any:
        """Return the body and the JSON-RPC message in it; _FINISHED after a refusal or when the caller has left."""
        content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type != "application/json":
            await rpc_error(
                send,
                415,
                INVALID_REQUEST,
                tr("The body must be JSON; send Content-Type: application/json"),
            )
            return _FINISHED
        try:
            body = await read_body(receive, headers, self._max_body_bytes)
            message = parse_json(body)
        except ClientDisconnect:
            return _FINISHED
        except ServiceError as error:
            status = 413 if error.status == 413 else 400
            code = INVALID_REQUEST if status == 413 else PARSE_ERROR
            text = tr("{message}. {next_step}", message=error.message, next_step=error.next_step)
            await rpc_error(send, status, code, text)
            return _FINISHED
        problem = _message_problem(message)
        if problem is not None:
            known_id = message.get("id") if isinstance(message, dict) else None
            await rpc_error(send, 400, INVALID_REQUEST, problem, known_id if _is_id(known_id) else None)
            return _FINISHED
        return body, message


def _wants_session(message: dict[str, Any], headers: Headers) -> bool:
    """Return whether a message belongs to a session, or begins one; only clients of 2025-11-25 and before have any."""
    begins_or_has_one = SESSION_ID in headers or message.get("method") == "initialize"
    return begins_or_has_one and protocol_version(message, headers) in HANDSHAKE_PROTOCOL_VERSIONS


async def _guarded(sessions: StreamableHTTPSessionManager, scope: Scope, receive: Receive, send: Send) -> None:
    """Let the SDK answer; when it crashes before the answer begins, answer with an internal error.

    The SDK refuses the messages of other clients than the session's as if there were no such session.
    """
    started = False

    async def noting(message: Any) -> None:
        nonlocal started
        started = True
        await send(message)

    try:
        await sessions.handle_request({**scope, "user": _current_client()}, receive, noting)
    except Exception as error:
        logger.error("transport crashed", exc_info=without_values(error))
        if started:
            raise
        await rpc_error(send, 500, INTERNAL_ERROR, KINDS[ErrorCode.INTERNAL].message)


def _current_client() -> AuthenticatedUser:
    """Return the client of the current request, which the gateway has authenticated, as the SDK represents it."""
    return AuthenticatedUser(AccessToken(token="", client_id=current_request.get().client, scopes=[]))


def _for_sdk(scope: Scope, message: dict[str, Any], headers: Headers) -> Scope:
    """Return the request as the SDK requires it: accepting both forms, and without a version that is negotiated."""
    negotiates = message.get("method") == "initialize" and _version(headers) not in KNOWN_PROTOCOL_VERSIONS
    dropped = {b"accept"} | ({MCP_PROTOCOL_VERSION_HEADER.encode()} if negotiates else set())
    kept = [(name, value) for name, value in scope["headers"] if name.lower() not in dropped]
    return {**scope, "headers": [*kept, (b"accept", _ACCEPT_BOTH)]}


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives an app the body that was read already."""
    pending = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Any:
        return pending.pop() if pending else await receive()

    return replayed


def _message_problem(message: Any) -> str | None:
    """Return why a JSON value is not one JSON-RPC message; None when it is."""
    if isinstance(message, list):
        return tr("Batches (JSON arrays) are not supported; send one request at a time")
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        return tr('The body must be one JSON-RPC object with "jsonrpc": "2.0"')
    if "id" in message and not _is_id(message["id"]):
        return tr("id must be a string or an integer")
    if "method" in message:
        if not isinstance(message["method"], str):
            return tr("method must be a string")
        params = message.get("params")
        if not isinstance(params, dict | None):
            return tr("params must be a JSON object")
        # These become names of spans, which must not be long.
        if any(
            isinstance(name, str) and len(name) > _LONGEST_NAME
            for name in (message["method"], (params or {}).get("name"))
        ):
            return tr("A name is longer than {longest} characters", longest=_LONGEST_NAME)
    elif "result" not in message and "error" not in message:
        return tr("method is missing")
    if "method" in message and "result" not in message and "error" not in message:
        return None  # A request or a notification, of which every field was looked at above.
    try:
        jsonrpc_message_adapter.validate_python(message, by_name=False)
    except ValidationError:
        return tr("The body is no JSON-RPC request, notification or response")
    return None


def _is_id(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))


def _version(headers: Headers) -> str | None:
    return headers.get(MCP_PROTOCOL_VERSION_HEADER)


def _version_problem(headers: Headers, message: dict[str, Any]) -> tuple[int, str, Any] | None:
    """Return code, sentence and data of a refusal of the version header; None when the SDK can handle it."""
    names = [name for name, _ in headers.raw]
    repeated = find_duplicated_routing_header(headers.items()) if len(set(names)) < len(names) else None
    if repeated is not None:
        return HEADER_MISMATCH, tr("The header {header} appears more than once", header=repeated), None
    version = _version(headers)
    if version is None or version in KNOWN_PROTOCOL_VERSIONS or message.get("method") == "initialize":
        return None
    params = message.get("params")
    meta = params.get("_meta") if params else None
    if isinstance(meta, dict) and PROTOCOL_VERSION_META_KEY in meta:
        return None
    supported = list(KNOWN_PROTOCOL_VERSIONS)
    return (
        UNSUPPORTED_PROTOCOL_VERSION,
        tr(
            "The protocol version in the header {header} is not supported; supported: {versions}",
            header=MCP_PROTOCOL_VERSION_HEADER,
            versions=joined_names(supported),
        ),
        {"supported": supported, "requested": version[:100]},
    )


def _wants_progress(message: dict[str, Any]) -> bool:
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    return isinstance(meta, dict) and meta.get("progressToken") is not None


async def _wrong_method(allowed: str, hint: str, send: Send, method: str) -> None:
    await rpc_error(send, 405, INVALID_REQUEST, hint, headers={"Allow": allowed}, with_body=method != "HEAD")


def _mcp_hint(prefix: str) -> str:
    return tr(
        "This address takes POST only (Streamable HTTP without sessions); legacy SSE clients use {address}",
        address=prefix + SSE_PATH,
    )


def _sse_hint(prefix: str) -> str:
    return tr(
        "This is the legacy SSE address, to be opened with GET; Streamable HTTP clients use {address}",
        address=prefix + MCP_PATH,
    )


def _message_hint(prefix: str) -> str:
    return tr(
        "This address takes the POSTs of a legacy SSE session; open {sse_address} with GET first, or use {mcp_address}",
        sse_address=prefix + SSE_PATH,
        mcp_address=prefix + MCP_PATH,
    )
