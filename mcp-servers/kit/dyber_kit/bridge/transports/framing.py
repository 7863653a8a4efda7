"""Splits the bytes of a child into lines, with a limit for each, and reads each line as a JSON-RPC message."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from mcp.types import (
    INTERNAL_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
)
from pydantic import ValidationError
from pydantic_core import from_json

#: Longest message of a child, in bytes.
MAX_MESSAGE_BYTES = 16 * 2**20
_EDGE_BYTES = 4096
_LONG_BYTES = 2**20
_MOST_TEXTS = 20_000
# Where a message states its id: among its first fields, or as its last but for the version.
_FIRST_ID = re.compile(rb'\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*"?(\d{1,18})"?\s*,')
_LAST_ID = re.compile(rb',\s*"id"\s*:\s*"?(\d{1,18})"?\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$')
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class TooLong:
    """Describes a line that is too long to be read: its length, and its first and last bytes."""

    size: int
    head: bytes
    tail: bytes

    @classmethod
    def whole(cls, line: bytes) -> TooLong:
        """Return the description of a line."""
        return cls(len(line), line[:_EDGE_BYTES], line[-_EDGE_BYTES:])

    def request_id(self) -> int | None:
        """Return the id of the request that the line answers, when its first or last fields state it."""
        stated = _FIRST_ID.match(self.head) or _LAST_ID.search(self.tail)
        return int(stated[1]) if stated else None


def is_intricate(line: bytes) -> bool:
    """Return whether reading a line would hold up every other call: it is long, and has very many names and texts.

    A long text, picture or sound is read fast. An answer with as many values as this is longer than any limit of answers.
    """
    if len(line) <= _LONG_BYTES:
        return False
    return line.count(b'"') - line.count(b'\\"') > 2 * _MOST_TEXTS


class LineBuffer:
    r"""Collects bytes until a line is complete; characters that are split between two reads stay whole.

    >>> buffer = LineBuffer(limit=10)
    >>> buffer.feed(b"ab"), buffer.feed(b"c\nd"), buffer.feed(b"\n")
    ([], [b'abc'], [b'd'])
    """

    def __init__(self, limit: int = MAX_MESSAGE_BYTES) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._size = 0
        self._head = b""
        self._tail = b""

    def feed(self, data: bytes) -> list[bytes | TooLong]:
        """Return the lines that `data` completes."""
        *ended, rest = data.split(b"\n")
        lines = []
        for piece in ended:
            self._keep(piece)
            lines.append(self._finish())
        self._keep(rest)
        return lines

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        self._pieces.append(piece)
        if self._size > self._limit:
            together = b"".join(self._pieces)
            self._head = self._head or together[:_EDGE_BYTES]
            self._tail = (self._tail + together)[-_EDGE_BYTES:]
            self._pieces.clear()

    def _finish(self) -> bytes | TooLong:
        is_long = self._size > self._limit
        line = TooLong(self._size, self._head, self._tail) if is_long else b"".join(self._pieces)
        self._pieces, self._size, self._head, self._tail = [], 0, b"", b""
        return line


def read_message(line: bytes) -> JSONRPCMessage | None:
    """Return the message in a line; None when it is none, such as a banner."""
    value = object_in(line)
    return None if value is None else message_in(value)


def message_in(value: dict[str, Any]) -> JSONRPCMessage | None:
    """Return the message that a JSON object is; None when it is none."""
    try:
        if "method" in value:
            return _asked(value)
        return _answered(value)
    except ValidationError:
        return None


def _asked(value: dict[str, Any]) -> JSONRPCMessage:
    params = value.get("params")
    params = params if isinstance(params, dict) else None
    if value.get("id") is None:
        return JSONRPCNotification(jsonrpc="2.0", method=value["method"], params=params)
    return JSONRPCRequest(jsonrpc="2.0", id=value["id"], method=value["method"], params=params)


def _answered(value: dict[str, Any]) -> JSONRPCMessage | None:
    if value.get("id") is None:
        return None
    outcome = outcome_in(value)
    if outcome is None:
        return None
    if isinstance(outcome, ErrorData):
        return JSONRPCError(jsonrpc="2.0", id=value["id"], error=outcome)
    return JSONRPCResponse(jsonrpc="2.0", id=value["id"], result=outcome)


def outcome_in(value: dict[str, Any]) -> dict[str, Any] | ErrorData | None:
    """Return the result, or the error, of an answer; None when it has neither."""
    error = value.get("error")
    if error is not None:
        return _error_in(error)
    if "result" not in value:
        return None
    result = value["result"]
    if not isinstance(result, dict | None):
        return ErrorData(code=INTERNAL_ERROR, message="the result is not an object")
    return result or {}


def _error_in(error: Any) -> ErrorData:
    if not isinstance(error, dict):
        return ErrorData(code=INTERNAL_ERROR, message=str(error)[:1000])
    code, message = error.get("code"), error.get("message")
    is_number = isinstance(code, int) and not isinstance(code, bool)
    return ErrorData(code=code if is_number else INTERNAL_ERROR, message=str(message or ""), data=error.get("data"))


def object_in(line: bytes) -> dict[str, Any] | None:
    """Return the JSON object in a line; None when it has none."""
    if line.lstrip()[:1] != b"{":
        return None
    try:
        value = from_json(line, allow_inf_nan=False)
    except ValueError:
        value = _odd_json(line)
    return value if isinstance(value, dict) else None


def _odd_json(line: bytes) -> Any:
    """Return the value of JSON that only lenient readers accept; None when it is no JSON at all.

    Bytes that are not UTF-8 and halves of surrogate pairs become U+FFFD, and NaN and the infinities null.
    """
    try:
        value = json.loads(line.decode("utf-8", "replace"), parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None
    return _without_surrogates(value)


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(name): _without_surrogates(item) for name, item in value.items()}
    return value
