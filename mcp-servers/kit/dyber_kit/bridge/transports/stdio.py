"""Speaks with a child over its standard input and output, one JSON message a line."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from types import TracebackType
from typing import Any, Self

import anyio
from mcp.shared.message import SessionMessage
from mcp.types import (
    INTERNAL_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
)

from dyber_kit.bridge.metrics import BridgeMetrics
from dyber_kit.bridge.transports.child_log import ChildLog
from dyber_kit.bridge.transports.framing import MAX_MESSAGE_BYTES, LineBuffer, TooLong, is_intricate, read_message
from dyber_kit.bridge.transports.process import ChildProcess

logger = logging.getLogger("dyber.bridge")

_READ_BYTES = 2**18
#: Message of the error with which a call ends whose answer was too long to be read.
TOO_LONG = "the message is too long to be read"


class Asked:
    """Remembers which requests a child has not answered yet."""

    def __init__(self) -> None:
        self._waiting: set[int | str] = set()
        self._given_up: deque[Any] = deque(maxlen=1000)

    def sent(self, message: JSONRPCMessage) -> None:
        """Note a message to the child."""
        if isinstance(message, JSONRPCRequest):
            self._waiting.add(message.id)
        elif isinstance(message, JSONRPCNotification) and message.method == "notifications/cancelled":
            request_id = (message.params or {}).get("requestId")
            if request_id in self._waiting:
                self._waiting.discard(request_id)
                self._given_up.append(request_id)

    def answered(self, request_id: int | str | None) -> bool:
        """Note an answer of the child; return whether it belongs to a request, of now or given up."""
        if isinstance(request_id, str) and request_id.isdecimal():
            request_id = int(request_id)
        if request_id in self._waiting:
            self._waiting.discard(request_id)
            return True
        return request_id in self._given_up

    def only(self) -> int | str | None:
        """Return the id of the only request that is not answered; None when there are more, or none."""
        return next(iter(self._waiting)) if len(self._waiting) == 1 else None


class ChildOutput:
    """Reads the messages of a child; what is no message is counted and logged, and reading goes on."""

    def __init__(self, child: ChildProcess, asked: Asked, log: ChildLog, metrics: BridgeMetrics) -> None:
        self._stdout = child.stdout
        self._asked = asked
        self._log = log
        self._metrics = metrics
        self._buffer = LineBuffer()
        self._ready: deque[JSONRPCMessage] = deque()

    async def receive(self) -> SessionMessage | Exception:
        """Return the next message.

        Raises:
            EndOfStream: The child has closed its output.
        """
        if self._ready:
            await asyncio.sleep(0)  # Others run between the messages of a child that sends many at once.
        while not self._ready:
            data = await self._stdout.read(_READ_BYTES)
            if not data:
                raise anyio.EndOfStream
            for line in self._buffer.feed(data):
                if isinstance(line, bytes) and is_intricate(line):
                    line = TooLong.whole(line)
                message = self._too_long(line) if isinstance(line, TooLong) else self._message(line)
                if message is not None:
                    self._ready.append(message)
        return SessionMessage(self._ready.popleft())

    def _message(self, line: bytes) -> JSONRPCMessage | None:
        message = read_message(line)
        if message is None:
            if line.strip():
                self._metrics.noise()
                self._log.line(line, "stdout")
        elif isinstance(message, JSONRPCResponse | JSONRPCError) and not self._asked.answered(message.id):
            self._metrics.unknown_answer()
        return message

    def _too_long(self, line: TooLong) -> JSONRPCMessage | None:
        """Return the error that ends the call whose answer it is; None when that cannot be told."""
        request_id = line.request_id()
        if request_id is None or not self._asked.answered(request_id):
            request_id = self._asked.only()  # type: ignore[assignment] # ids are minted here, as numbers
        logger.warning("child message too long", extra={"bytes": line.size, "limit": MAX_MESSAGE_BYTES})
        if request_id is None:
            return None
        return JSONRPCError(jsonrpc="2.0", id=request_id, error=ErrorData(code=INTERNAL_ERROR, message=TOO_LONG))

    async def aclose(self) -> None:
        """Do nothing: the pipe ends with the child."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        return None


class ChildInput:
    """Writes messages to a child. Each is written whole, also when the caller is cancelled while it waits."""

    def __init__(self, child: ChildProcess, asked: Asked) -> None:
        self._stdin = child.stdin
        self._asked = asked

    async def send(self, item: SessionMessage, /) -> None:
        """Write a message; wait until the child takes it, but not for notifications, which end waiting callers.

        Raises:
            BrokenResourceError: The child has closed its input.
        """
        if self._stdin.is_closing():
            raise anyio.BrokenResourceError
        message = item.message
        self._asked.sent(message)
        self._stdin.write(message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
        if isinstance(message, JSONRPCNotification):
            return
        try:
            await self._stdin.drain()
        except OSError:
            raise anyio.BrokenResourceError from None

    async def aclose(self) -> None:
        """Do nothing: the pipe ends with the child."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        return None


async def log_stream(stream: asyncio.StreamReader, name: str, log: ChildLog) -> None:
    """Log the lines of a child's stream until it ends."""
    buffer = LineBuffer(limit=2**16)
    while data := await stream.read(_READ_BYTES):
        for line in buffer.feed(data):
            # The first part of a line could end within a secret, where it cannot be masked.
            log.line(f"(a line of {line.size} bytes)" if isinstance(line, TooLong) else line, name)
