"""Tells the gateway the id of each legacy SSE session, and ends sessions between calls when the server stops.

A session exists in one process: only the server that opened its stream can answer its POSTs, so the gateway needs the
id. The SDK does not expose it, so this module wraps the SDK's two routes. Messages are taken from the client that
opened the stream only.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

from mcp.types import INVALID_REQUEST
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dyber_kit.calling.legacy_sessions import LegacySession, current_session
from dyber_kit.language import tr_lazy
from dyber_kit.observing.logs import current_request
from dyber_kit.serving.mcp.streams import rpc_error

SESSION_HEADER = "X-Dyber-Session"

_NO_SESSION = tr_lazy("The address has no session_id; use the address that the SSE stream announced")
_UNKNOWN_SESSION = tr_lazy("There is no such session, or it has ended; open the SSE stream again")
_SESSION_ID = re.compile(rb"session_id=([0-9a-f]{32})")


class LegacySessions:
    """Holds the open legacy sessions of this process by id.

    `hang_up`, when set, closes the connection of a request without an answer; new streams are then refused.
    """

    def __init__(self) -> None:
        self.open: dict[str, LegacySession] = {}
        self.hang_up: Callable[[Scope], None] | None = None

    def end_quiet(self) -> bool:
        """End every session that is quiet; return whether all sessions have ended."""
        for session in self.open.values():
            if session.quiet:
                session.ended.set()
        return all(session.ended.is_set() for session in self.open.values())


class LegacySseMiddleware:
    """Wraps the SDK's legacy routes `sse_path` and `message_path`; passes every other request on unchanged."""

    def __init__(self, app: ASGIApp, sessions: LegacySessions, sse_path: str, message_path: str) -> None:
        self._app = app
        self._sessions = sessions
        self._sse_path = sse_path
        self._message_path = message_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        path = scope["path"].removeprefix(scope.get("root_path", "")) if scope["type"] == "http" else ""
        if path == self._sse_path and scope["method"] == "GET":
            await self._stream(scope, receive, send)
        elif path == self._message_path:
            await self._message(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open a stream; its headers are held back until the first event, which contains the session's id."""
        if self._sessions.hang_up is not None:
            # A stream opened now would end at once. Without an answer, the gateway retries at another container.
            self._sessions.hang_up(scope)
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        session = LegacySession(current_request.get().client)
        session_id = ""
        head: Message | None = None
        started = finished = False

        async def send_with_id(message: Message) -> None:
            nonlocal head, session_id, started, finished
            if message["type"] == "http.response.start":
                # The SDK answers a second time when the stream is over.
                if not started:
                    head, started = message, True
                return
            if head is not None:
                match = _SESSION_ID.search(message.get("body", b""))
                if match:
                    session_id = match[1].decode()
                    self._sessions.open[session_id] = session
                    MutableHeaders(scope=head)[SESSION_HEADER] = session_id
                await send(head)
                head = None
            if not finished:
                finished = not message.get("more_body", False)
                await send(message)

        try:
            await self._app(scope, _until(session.ended, receive), send_with_id)
            if started and not finished:
                await send_with_id({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._sessions.open.pop(session_id, None)

    async def _message(self, scope: Scope, receive: Receive, send: Send) -> None:
        session_id = Request(scope).query_params.get("session_id")
        session = self._sessions.open.get(session_id or "")
        if session_id is None:
            await rpc_error(send, 400, INVALID_REQUEST, str(_NO_SESSION))
        # Who guesses the id of another client's session learns nothing from the answer.
        elif session is None or session.ended.is_set() or session.client != current_request.get().client:
            await rpc_error(send, 404, INVALID_REQUEST, str(_UNKNOWN_SESSION))
        else:
            token = current_session.set(session)
            try:
                with session.used():
                    await self._app(scope, receive, send)
            finally:
                current_session.reset(token)


def _until(ended: asyncio.Event, receive: Receive) -> Receive:
    """Return a `receive` that reports a disconnected client when `ended` is set, so that the SDK cleans up."""

    async def receive_until_ended() -> Message:
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(receive()), asyncio.ensure_future(ended.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            return {"type": "http.disconnect"} if ended.is_set() else waits[0].result()
        finally:
            for wait in waits:
                wait.cancel()

    return receive_until_ended
