"""Sends the answer to one POST as JSON or as an event stream, and ends the work for it when the client leaves."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine, Iterable
from types import TracebackType
from typing import Any

import anyio
from pydantic_core import PydanticSerializationError, to_json
from starlette.types import Receive, Send

from dyber_kit.observing.logs import without_values
from dyber_kit.serving.mcp.accept import Form
from dyber_kit.serving.mcp.streams import escape_line_ends

logger = logging.getLogger("dyber.transport")

# Most calls end sooner, and need no task that watches their connection.
_WATCH_AFTER_SECONDS = 0.02
#: Seconds after which a silent stream gets a comment, so that no proxy takes the connection for dead.
PING_SECONDS = 15.0
_PING = b": ping\r\n\r\n"
_STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"connection", b"keep-alive"),
]


class Reply:
    """Sends notifications and the answer to one request.

    Args:
        send: The ASGI callable that takes the answer.
        receive: The ASGI callable that reports that the client has left, after the body was read.
        form: The form of the answer that the client accepts.
        request_id: The id that the answer repeats.
        stream_from_start: Answer with a stream whenever the client accepts one, and open it before the answer is
            known, as clients of the 2025 era expect; otherwise only notifications and pings open it.
    """

    def __init__(
        self, send: Send, receive: Receive, form: Form, request_id: int | str | None, *, stream_from_start: bool
    ) -> None:
        self.started = False
        self._send = send
        self._receive = receive
        self._id = request_id
        self._may_stream = form is not Form.JSON
        self._opens_early = self._may_stream and stream_from_start
        self._must_stream = form is Form.STREAM or self._opens_early
        self._is_stream = False
        self._finished = False
        self._writing = asyncio.Lock()

    def while_connected(self) -> WhileConnected:
        """Cancel the block when the client leaves; keep its stream alive while the block takes long."""
        return WhileConnected(self._watch)

    async def notify(self, notification: dict[str, Any]) -> None:
        """Send a notification; drop it when the client accepts no stream or has its answer already."""
        if self._may_stream:
            await self._write(_event(encoded(notification)))

    async def finish(
        self, outcome: dict[str, Any], status: int = 200, headers: Iterable[tuple[bytes, bytes]] = ()
    ) -> None:
        """Send the answer: `outcome` has `result` or `error`; `status` and `headers` count unless a stream is open."""
        await self._finish(encoded({"jsonrpc": "2.0", "id": self._id, **outcome}), status, headers)

    async def finish_stored(self, result: bytes) -> None:
        """Send the answer whose `result` is encoded as JSON already."""
        await self._finish(b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (encoded(self._id), result))

    async def _finish(self, body: bytes, status: int = 200, more_headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        async with self._writing:
            self._finished = True
            if self._is_stream or (self._must_stream and status == 200):
                await self._open_stream()
                await self._send({"type": "http.response.body", "body": _event(body), "more_body": False})
                return
            self.started = True
            headers = [
                (b"content-type", b"application/json; charset=utf-8"),
                (b"content-length", str(len(body)).encode()),
                *more_headers,
            ]
            await self._send({"type": "http.response.start", "status": status, "headers": headers})
            await self._send({"type": "http.response.body", "body": body})

    async def _watch(self, scope: anyio.CancelScope) -> None:
        """Cancel `scope` when the client leaves; until then, open the stream and keep it alive."""
        try:
            if self._opens_early:
                await self._write(b"")
            while True:
                with anyio.move_on_after(PING_SECONDS if self._may_stream else None):
                    while (await self._receive())["type"] != "http.disconnect":
                        pass
                    scope.cancel()
                    return
                await self._write(_PING)
        except Exception as error:
            logger.error("connection not watched", exc_info=without_values(error))

    async def _write(self, data: bytes) -> None:
        async with self._writing:
            if not self._finished:
                await self._open_stream()
                await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def _open_stream(self) -> None:
        if not self._is_stream:
            self._is_stream = self.started = True
            await self._send({"type": "http.response.start", "status": 200, "headers": list(_STREAM_HEADERS)})


class WhileConnected:
    """Runs a block until the client leaves; a class, because every request has one and generators cost more.

    Args:
        watch: Cancels the block when the client leaves; it starts once the block has taken a moment.
    """

    def __init__(self, watch: Callable[[anyio.CancelScope], Coroutine[Any, Any, None]]) -> None:
        self._watch = watch
        self._scope = anyio.CancelScope()
        self._watcher: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_WATCH_AFTER_SECONDS, self._start_watching)
        self._scope.__enter__()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> bool:
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        return self._scope.__exit__(exc_type, exc_val, exc_tb)

    def _start_watching(self) -> None:
        self._watcher = asyncio.get_running_loop().create_task(self._watch(self._scope))


def encoded(message: Any) -> bytes:
    """Return a value as JSON; a number that JSON does not have becomes null."""
    try:
        return to_json(message, inf_nan_mode="null")
    except (PydanticSerializationError, UnicodeEncodeError):
        # Half a character, which only an escape can carry.
        return json.dumps(message, separators=(",", ":")).encode()


def _event(data: bytes) -> bytes:
    return b"event: message\r\ndata: " + escape_line_ends(data) + b"\r\n\r\n"
