"""Legacy SSE sessions: known by their id to the gateway, and ended, when the server stops, between two calls.

A session lives in one process: only the server that opened its stream can take its POSTs. The SDK keeps that to
itself, so this wraps its two routes.
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
from dyber_kit.serving.streams import rpc_error

SESSION_HEADER = "X-Dyber-Session"

_NO_SESSION = (
    "地址里缺少 session_id；请使用打开 SSE 流时收到的地址"
    " / the address has no session_id; use the address that the SSE stream announced"
)
_UNKNOWN_SESSION = (
    "没有这个会话，或它已经结束；请重新打开 SSE 流 / no such session, or it has ended; open the SSE stream again"
)
_SESSION_ID = re.compile(rb"session_id=([0-9a-f]{32})")


class LegacySessions:
    """The open legacy sessions of this process, by id.

    `hang_up`, when set, closes the connection of a request unanswered; new streams are then no longer opened.
    """

    def __init__(self) -> None:
        self.open: dict[str, LegacySession] = {}
        self.hang_up: Callable[[Scope], None] | None = None

    def end_quiet(self) -> bool:
        """End every session that is quiet; True when none is left."""
        for session in self.open.values():
            if session.quiet:
                session.ended.set()
        return all(session.ended.is_set() for session in self.open.values())


class LegacySseMiddleware:
    """Wraps the SDK's legacy routes `sse_path` and `message_path`; leaves every other request alone."""

    def __init__(self, app: ASGIApp, sessions: LegacySessions, sse_path: str, message_path: str) -> None:
        self._app = app
        self._sessions = sessions
        self._sse_path = sse_path
        self._message_path = message_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the paths of the old SSE transport, and pass every other connection on."""
        path = scope["path"].removeprefix(scope.get("root_path", "")) if scope["type"] == "http" else ""
        if path == self._sse_path and scope["method"] == "GET":
            await self._stream(scope, receive, send)
        elif path == self._message_path:
            await self._message(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The session's id is only in the first event: the head of the answer waits for it, to carry the id too."""
        if self._sessions.hang_up is not None:
            # A stream opened now would end at once. Unanswered, the gateway asks another container, as for any GET.
            self._sessions.hang_up(scope)
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        session = LegacySession()
        session_id = ""
        head: Message | None = None
        started = finished = False

        async def send_named(message: Message) -> None:
            nonlocal head, session_id, started, finished
            if message["type"] == "http.response.start":
                # The SDK answers a second time when the stream is over.
                if not started:
                    head, started = message, True
                return
            if head is not None:
                found = _SESSION_ID.search(message.get("body", b""))
                if found:
                    session_id = found[1].decode()
                    self._sessions.open[session_id] = session
                    MutableHeaders(scope=head)[SESSION_HEADER] = session_id
                await send(head)
                head = None
            if not finished:
                finished = not message.get("more_body", False)
                await send(message)

        try:
            await self._app(scope, _until(session.ended, receive), send_named)
            if started and not finished:
                await send_named({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._sessions.open.pop(session_id, None)

    async def _message(self, scope: Scope, receive: Receive, send: Send) -> None:
        session_id = Request(scope).query_params.get("session_id")
        session = self._sessions.open.get(session_id or "")
        if session_id is None:
            await rpc_error(send, 400, INVALID_REQUEST, _NO_SESSION)
        elif session is None or session.ended.is_set():
            await rpc_error(send, 404, INVALID_REQUEST, _UNKNOWN_SESSION)
        else:
            token = current_session.set(session)
            try:
                with session.used():
                    await self._app(scope, receive, send)
            finally:
                current_session.reset(token)


def _until(ended: asyncio.Event, receive: Receive) -> Receive:
    """`receive`, but `ended` looks like a client that went away, which is what the SDK cleans up after."""

    async def receive_until_ended() -> Message:
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(receive()), asyncio.ensure_future(ended.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            return {"type": "http.disconnect"} if ended.is_set() else waits[0].result()
        finally:
            for wait in waits:
                wait.cancel()

    return receive_until_ended
