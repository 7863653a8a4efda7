"""Answers each POST of Streamable HTTP by itself, in both eras of the protocol, without the SDK's session per request.

The SDK answers a request of the 2025 era through a session of its own: two tasks, four streams and a second reading of
the body. As no session outlives a request here, the request goes straight to the kernel that also answers requests of
the 2026 era (`mcp.server.runner.serve_one`), which validates, negotiates versions and runs the middlewares and handlers.
Older clients of a service whose tools ask the user do have sessions; `serving.transport` leaves those to the SDK.
"""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import anyio
from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.mcpserver import Context
from mcp.server.runner import ServerRunner, aclose_shielded, modern_error_data, serve_one
from mcp.server.session import ServerSession
from mcp.shared.exceptions import MCPError, NoBackChannelError
from mcp.shared.inbound import (
    ERROR_CODE_HTTP_STATUS,
    MCP_PROTOCOL_VERSION_HEADER,
    InboundLadderRejection,
    classify_inbound_request,
    unsupported_protocol_version_rejection,
    validate_mcp_param_headers,
    x_mcp_header_map,
)
from mcp.shared.jsonrpc_dispatcher import progress_token_from_params
from mcp.shared.message import ServerMessageMetadata
from mcp.shared.transport_context import TransportContext
from mcp.types import DEFAULT_NEGOTIATED_VERSION, INTERNAL_ERROR, INVALID_REQUEST, RequestParams
from mcp.types.version import HANDSHAKE_PROTOCOL_VERSIONS, KNOWN_PROTOCOL_VERSIONS
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from dyber_kit.calling.direct import DirectRequest
from dyber_kit.errors import KINDS, ErrorCode
from dyber_kit.language import tr_lazy
from dyber_kit.observing.logs import without_values
from dyber_kit.serving.mcp.accept import Form
from dyber_kit.serving.mcp.aliases import called_tool
from dyber_kit.serving.mcp.direct_calls import DirectCalls
from dyber_kit.serving.mcp.mcp_server import answered
from dyber_kit.serving.mcp.replies import Reply
from dyber_kit.serving.mcp.streams import rpc_error

logger = logging.getLogger("dyber.transport")

Message = dict[str, Any]
#: Returns the encoded result of a request from its message, protocol version and ASGI scope; None to let the server
#: answer. It may raise MCPError.
Stored = Callable[[Message, str, Scope], bytes | None]

_NO_RESPONSES = tr_lazy("This address takes requests and notifications only")


class UnavailableError(MCPError):
    """Reports that a request cannot be answered now; it is sent with HTTP status 503 and the time to wait.

    Args:
        message: What happened, and what to do now.
        retry_after: Seconds after which a retry can help.
        data: More for programs.
    """

    def __init__(self, message: str, retry_after: int, data: Any = None) -> None:
        super().__init__(INTERNAL_ERROR, message, data)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class _Post:
    """Holds one message that was posted, and what is known of its request."""

    message: Message
    version: str
    is_modern: bool
    headers: Headers
    scope: Scope
    reply: Reply


@dataclass(frozen=True, slots=True)
class _Caller:
    """Holds what a request says of its client: the protocol version, and in the 2026 era name and capabilities."""

    version: str
    info: Any = None
    capabilities: Any = None

    def connection(self) -> Connection:
        """Return what the SDK takes for the connection of one request."""
        return Connection.from_envelope(self.version, self.info, self.capabilities)


class Exchanges:
    """Answers the messages that clients POST to `server`.

    Args:
        server: The SDK's protocol server, with all its handlers and tools.
        tool_schemas: JSON Schemas of the tools' arguments by name.
        shows_tool: Returns whether a tool exists for the caller of a request, given the name and the ASGI headers.
        stored: Answers requests whose result is stored as it is sent, without asking `server`.
        direct: Runs ordinary calls of tools without asking `server`.
    """

    def __init__(
        self,
        server: Server[Any],
        tool_schemas: dict[str, dict[str, Any]],
        shows_tool: Callable[[str, list[tuple[bytes, bytes]]], bool],
        stored: Stored | None = None,
        direct: DirectCalls | None = None,
    ) -> None:
        self._server = server
        self._direct = direct
        self._stored = stored
        self._shows_tool = shows_tool
        # Only these have arguments that a client of the 2026 era repeats in headers.
        self._with_headers = {name: schema for name, schema in tool_schemas.items() if x_mcp_header_map(schema)}
        self._lifespan_state: Any = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the server's lifespan open; requests are answered only inside this context."""
        async with self._server.lifespan(self._server) as state:
            self._lifespan_state = state
            yield

    async def answer(
        self, message: Message, form: Form, headers: Headers, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer one JSON-RPC message whose envelope was checked.

        Args:
            message: A request, notification or response.
            form: The form of the answer that the client accepts.
            headers: Headers of the request.
            scope: The ASGI scope, for handlers that look at the request.
            receive: Reports that the client has left; the body was read.
            send: Takes the answer.
        """
        version = protocol_version(message, headers)
        is_modern = version not in HANDSHAKE_PROTOCOL_VERSIONS
        if message.get("method") == "subscriptions/listen" and form is Form.JSON:
            form = Form.EITHER  # Its answer is a stream of notifications.
        reply = Reply(send, receive, form, message.get("id"), stream_from_start=not is_modern)
        post = _Post(message, version, is_modern, headers, scope, reply)
        try:
            if "id" in message and "method" in message:
                await self._answer_request(post, send)
            else:
                await self._accept_notification(post, send)
        except Exception as error:
            logger.error("transport crashed", exc_info=without_values(error))
            if reply.started:
                raise
            await rpc_error(send, 500, INTERNAL_ERROR, KINDS[ErrorCode.INTERNAL].message, message.get("id"))

    async def _answer_request(self, post: _Post, send: Send) -> None:
        message, reply = post.message, post.reply
        caller = _Caller(post.version)
        if post.is_modern:
            route = classify_inbound_request(message, headers=dict(post.headers.items()))
            if isinstance(route, InboundLadderRejection):
                await _refuse(send, route, message["id"])
                return
            problem = self._headers_problem(post)
            if problem is not None:
                await _refuse(send, problem, message["id"])
                return
            caller = _Caller(route.protocol_version, route.client_info, route.client_capabilities)
        with reply.while_connected():
            try:
                stored = self._stored(message, caller.version, post.scope) if self._stored is not None else None
                if stored is not None:
                    await reply.finish_stored(stored)
                    return
                result = await self._result(post, caller)
            except Exception as error:
                data = modern_error_data(error)
                content = {"error": data.model_dump(mode="json", by_alias=True, exclude_none=True)}
                if isinstance(error, UnavailableError):
                    await reply.finish(content, 503, [(b"retry-after", str(error.retry_after).encode())])
                else:
                    await reply.finish(content, ERROR_CODE_HTTP_STATUS.get(data.code, 200) if post.is_modern else 200)
            else:
                await reply.finish({"result": result})

    async def _result(self, post: _Post, caller: _Caller) -> dict[str, Any]:
        """Return the result of a request, by the shortest way.

        Raises:
            MCPError: The request is refused.
        """
        raw_headers = post.scope["headers"]
        call = self._direct.read(post.message, caller.version, raw_headers) if self._direct is not None else None
        if self._direct is None or call is None:
            return await self._serve(post, caller)
        request = DirectRequest(
            caller.version, post.headers, caller.capabilities or {}, lambda: self._context(post, caller)
        )
        answer = await self._direct.run(call, request)
        result = self._direct.wire_result(answer, caller.version)
        if result is None:
            with answered(answer):
                result = await self._serve(post, caller)
        return result

    async def _serve(self, post: _Post, caller: _Caller) -> dict[str, Any]:
        """Let the SDK answer a request, through all its checks and middlewares."""
        return await serve_one(
            self._server,
            Exchange(post),
            post.message["method"],
            post.message.get("params"),
            connection=caller.connection(),
            lifespan_state=self._lifespan_state,
        )

    def _context(self, post: _Post, caller: _Caller) -> Context[Any, Any]:
        """Return what the SDK gives to the tool of a call whose params were checked."""
        exchange = Exchange(post)
        params = post.message.get("params") or {}
        meta = RequestParams.model_validate({"_meta": params.get("_meta")}, by_name=False).meta
        request: ServerRequestContext[Any, Any] = ServerRequestContext(
            session=ServerSession(exchange, caller.connection(), request_meta=meta),
            lifespan_context=self._lifespan_state,
            protocol_version=caller.version,
            method=post.message["method"],
            params=params,
            request_id=exchange.request_id,
            meta=meta,
            request=exchange.message_metadata.request_context,
        )
        assert self._direct is not None, "only direct calls need it"
        return self._direct.context(request)

    async def _accept_notification(self, post: _Post, send: Send) -> None:
        """Accept a message that gets no answer; nothing is left here that a cancellation or a response could reach."""
        is_notification = "method" in post.message
        if post.is_modern:
            if not is_notification:
                await rpc_error(send, 400, INVALID_REQUEST, str(_NO_RESPONSES))
                return
            unsupported = unsupported_protocol_version_rejection(post.version)
            if unsupported is not None:
                await _refuse(send, unsupported, None)
                return
        post.reply.started = True
        await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
        if post.is_modern or not is_notification:
            return
        connection = Connection.from_envelope(post.version, None, None)
        runner = ServerRunner(self._server, connection, self._lifespan_state)
        try:
            await runner.on_notify(Exchange(post), post.message["method"], post.message.get("params"))
        finally:
            await aclose_shielded(connection)

    def _headers_problem(self, post: _Post) -> InboundLadderRejection | None:
        """Return the refusal of a call whose headers do not repeat its arguments; None when they do.

        A tool that the caller's scope excludes is passed, as one that does not exist: the server answers both alike.
        """
        params = post.message.get("params") or {}
        name, arguments = params.get("name"), params.get("arguments") or {}
        if post.message["method"] != "tools/call" or not isinstance(arguments, dict) or not isinstance(name, str):
            return None
        name = called_tool(name, post.scope["headers"])
        schema = self._with_headers.get(name)
        if schema is None or not self._shows_tool(name, post.scope["headers"]):
            return None
        return validate_mcp_param_headers(schema, arguments, post.headers)


class Exchange:
    """Gives handlers their way back to the client during one request; the SDK calls it a dispatch context.

    No request can be sent to the client, as its answer would come in another POST, which has no session.
    """

    can_send_request = False

    def __init__(self, post: _Post) -> None:
        self.transport = TransportContext(kind="streamable-http", can_send_request=False, headers=post.headers)
        self.request_id: int | str | None = post.message.get("id")
        self.message_metadata = ServerMessageMetadata(request_context=Request(post.scope), can_send_request=False)
        self._reply = post.reply
        self._progress_token = progress_token_from_params(post.message.get("params"))

    @functools.cached_property
    def cancel_requested(self) -> anyio.Event:
        """Return an event that is never set: a client cancels by closing its connection."""
        return anyio.Event()

    async def send_raw_request(self, method: str, params: Any, opts: Any = None) -> dict[str, Any]:
        """Refuse to send a request to the client."""
        raise NoBackChannelError(method)

    async def notify(self, method: str, params: Any, opts: Any = None) -> None:
        """Send a notification before the answer, when the client accepts a stream; else drop it."""
        notification = {"jsonrpc": "2.0", "method": method}
        await self._reply.notify(notification if params is None else {**notification, "params": dict(params)})

    async def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """Report progress, when the client asked for it."""
        if self._progress_token is None:
            return
        params: dict[str, Any] = {"progressToken": self._progress_token, "progress": progress}
        if total is not None:
            params["total"] = total
        if message is not None:
            params["message"] = message
        await self.notify("notifications/progress", params)


def protocol_version(message: Message, headers: Headers) -> str:
    """Return the protocol version of a message: the header's, or the default when it is missing or to be negotiated."""
    version = headers.get(MCP_PROTOCOL_VERSION_HEADER)
    if version is None or (message.get("method") == "initialize" and version not in KNOWN_PROTOCOL_VERSIONS):
        return DEFAULT_NEGOTIATED_VERSION
    return version


async def _refuse(send: Send, problem: InboundLadderRejection, request_id: Any) -> None:
    status = ERROR_CODE_HTTP_STATUS.get(problem.code, 200)
    await rpc_error(send, status, problem.code, problem.message, request_id, problem.data)
