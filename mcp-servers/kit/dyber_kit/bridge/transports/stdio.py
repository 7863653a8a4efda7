"""Speaks with a child over its standard input and output, one JSON message a line."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import anyio
from mcp.shared.exceptions import MCPError
from mcp.shared.message import SessionMessage
from mcp.types import (
    CONNECTION_CLOSED,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCResponse,
)
from pydantic_core import PydanticSerializationError, to_json

from dyber_kit.bridge.metrics import BridgeMetrics
from dyber_kit.bridge.transports.asked import Asked
from dyber_kit.bridge.transports.child_log import ChildLog
from dyber_kit.bridge.transports.framing import (
    MAX_MESSAGE_BYTES,
    LineBuffer,
    TooLong,
    is_intricate,
    message_in,
    object_in,
    outcome_in,
)
from dyber_kit.bridge.transports.process import ChildProcess

logger = logging.getLogger("dyber.bridge")

_READ_BYTES = 2**18
#: Message of the error with which a call ends whose answer was too long to be read.
TOO_LONG = "the message is too long to be read"


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
                self._asked.close()
                raise anyio.EndOfStream
            for line in self._buffer.feed(data):
                if isinstance(line, bytes) and is_intricate(line):
                    line = TooLong.whole(line)
                message = self._too_long(line) if isinstance(line, TooLong) else self._message(line)
                if message is not None:
                    self._ready.append(message)
        return SessionMessage(self._ready.popleft())

    def _message(self, line: bytes) -> JSONRPCMessage | None:
        value = object_in(line)
        if value is not None and self._settles(value):
            return None
        message = None if value is None else message_in(value)
        if message is None:
            if line.strip():
                self._metrics.noise()
                self._log.line(line, "stdout")
        elif isinstance(message, JSONRPCResponse | JSONRPCError) and not self._asked.answered(message.id):
            self._metrics.unknown_answer()
        return message

    def _settles(self, value: dict[str, Any]) -> bool:
        """Return whether an object is the answer that a caller waits for, who then has it."""
        request_id = value.get("id")
        if "method" in value or not isinstance(request_id, int | str):
            return False
        outcome = outcome_in(value)
        return outcome is not None and self._asked.settle(request_id, outcome)

    def _too_long(self, line: TooLong) -> JSONRPCMessage | None:
        """Return the error that ends the call whose answer it is; None when that cannot be told."""
        error = ErrorData(code=INTERNAL_ERROR, message=TOO_LONG)
        logger.warning("child message too long", extra={"bytes": line.size, "limit": MAX_MESSAGE_BYTES})
        request_id: int | str | None = line.request_id()
        if request_id is not None and self._asked.settle(request_id, error):
            return None
        if request_id is None or not self._asked.answered(request_id):
            request_id = self._asked.only()
        if request_id is None or self._asked.settle(request_id, error):
            return None
        return JSONRPCError(jsonrpc="2.0", id=request_id, error=error)

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
            MCPError: The message cannot be written as JSON.
        """
        if self._stdin.is_closing():
            raise anyio.BrokenResourceError
        message = item.message
        try:
            line = message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"
        except PydanticSerializationError:
            raise _not_json() from None
        self._asked.sent(message)
        self._stdin.write(line)
        if isinstance(message, JSONRPCNotification):
            return
        try:
            await self._stdin.drain()
        except OSError:
            raise anyio.BrokenResourceError from None

    async def request(self, method: str, params: Mapping[str, Any], *, cancel: bool = True) -> dict[str, Any]:
        """Send a request and return the result, without the SDK's dispatcher, which takes several times as long.

        The dispatcher is left with the handshake, requests with progress, and what the child asks and tells.

        Args:
            method: Name of the method.
            params: Its parameters.
            cancel: Whether the child is told when the caller does not wait any longer.

        Raises:
            MCPError: The child answered with an error, the connection has ended, or the parameters cannot be written
                as JSON.
        """
        if self._asked.is_closed or self._stdin.is_closing():
            raise _closed()
        request_id, waiter = self._asked.expect()
        message: dict[str, Any] = {"jsonrpc": "2.0", "id": request_id, "method": method}
        if params:
            message["params"] = params
        try:
            self._stdin.write(to_json(message, inf_nan_mode="null") + b"\n")
            await self._stdin.drain()
            outcome = await waiter
        except PydanticSerializationError:
            raise _not_json() from None
        except OSError:
            raise _closed() from None
        except asyncio.CancelledError:
            if cancel and not self._stdin.is_closing():
                told = {"requestId": request_id, "reason": "caller cancelled"}
                self._stdin.write(
                    to_json({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": told}) + b"\n"
                )
            raise
        finally:
            self._asked.give_up(request_id)
        if isinstance(outcome, ErrorData):
            raise MCPError(code=outcome.code, message=outcome.message, data=outcome.data)
        return outcome

    def close(self) -> None:
        """End all waiting for results, because nothing of the child is read any longer."""
        self._asked.close()

    async def aclose(self) -> None:
        """Do nothing: the pipe ends with the child."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        return None


def _closed() -> MCPError:
    return MCPError(code=CONNECTION_CLOSED, message="Connection closed")


def _not_json() -> MCPError:
    text = "the arguments cannot be written as JSON: too many levels, or half a character"
    return MCPError(code=INVALID_PARAMS, message=text)


async def log_stream(stream: asyncio.StreamReader, name: str, log: ChildLog) -> None:
    """Log the lines of a child's stream until it ends."""
    buffer = LineBuffer(limit=2**16)
    while data := await stream.read(_READ_BYTES):
        for line in buffer.feed(data):
            # The first part of a line could end within a secret, where it cannot be masked.
            log.line(f"(a line of {line.size} bytes)" if isinstance(line, TooLong) else line, name)
