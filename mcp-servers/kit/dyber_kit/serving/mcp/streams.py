"""Sends JSON-RPC errors, and keeps event streams readable for every client."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

from dyber_kit.observing import tracing

# Line readers of Python and JavaScript end a line at these, although event streams do not; JSON can escape them.
_LINE_ENDS = {char.encode(): f"\\u{ord(char):04x}".encode() for char in "\u0085\u2028\u2029"}


async def rpc_error(
    send: Send,
    status: int,
    code: int,
    message: str,
    request_id: Any = None,
    data: Any = None,
    *,
    headers: Mapping[str, str] | None = None,
    with_body: bool = True,
) -> None:
    """Send a JSON-RPC error as the answer to a request; `with_body=False` sends only its headers, for HEAD."""
    tracing.current().fail(str(code))
    error = {"code": code, "message": message} | ({} if data is None else {"data": data})
    body = json.dumps({"jsonrpc": "2.0", "id": request_id, "error": error}, ensure_ascii=False).encode()
    start: Message = {"type": "http.response.start", "status": status, "headers": []}
    marked = MutableHeaders(scope=start)
    for name, value in {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **(headers or {}),
    }.items():
        marked[name] = value
    await send(start)
    await send({"type": "http.response.body", "body": body if with_body else b""})


def set_text_headers(headers: MutableHeaders) -> None:
    """Set the charset of JSON and event streams, and ask proxies not to buffer or change streams."""
    content_type = headers.get("content-type", "")
    if content_type in ("application/json", "text/event-stream"):
        headers["Content-Type"] = f"{content_type}; charset=utf-8"
    if content_type.startswith("text/event-stream"):
        headers["Cache-Control"] = "no-cache, no-transform"
        headers["X-Accel-Buffering"] = "no"


def escaped_lines(send: Send) -> Send:
    """Return a `send` that escapes characters in event streams that some clients take for the end of a line."""
    is_stream = False

    async def escaping(message: Message) -> None:
        nonlocal is_stream
        if message["type"] == "http.response.start":
            is_stream = MutableHeaders(scope=message).get("content-type", "").startswith("text/event-stream")
        elif is_stream and message.get("body"):
            message = {**message, "body": escape_line_ends(message["body"])}
        await send(message)

    return escaping


def escape_line_ends(data: bytes) -> bytes:
    """Return JSON with escapes for the characters that some clients take for the end of a line."""
    if data.isascii():
        return data
    for char, escape in _LINE_ENDS.items():
        data = data.replace(char, escape)
    return data
