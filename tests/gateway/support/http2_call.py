"""Makes a call over HTTP/2 on a plain port, with a body of unannounced length, in frames of RFC 9113."""

from __future__ import annotations

import socket

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _GO_AWAY = 0, 1, 3, 4, 7
_END_STREAM, _END_HEADERS = 1, 4
_LARGEST_FRAME = 16384


def call(port: int, method: str, path: str, token: str, body: bytes = b"") -> bytes:
    """Return the body of the response. `body` has at most 64 kB, the initial window of a server."""
    fields = {
        ":method": method, ":scheme": "http", ":path": path, ":authority": "localhost", "authorization": f"Bearer {token}",
    }  # fmt: skip
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        last = 0 if body else _END_STREAM
        sent = _PREFACE + _frame(_SETTINGS, 0, 0, b"") + _frame(_HEADERS, _END_HEADERS | last, 1, _fields(fields))
        for start in range(0, len(body), _LARGEST_FRAME):
            part = body[start : start + _LARGEST_FRAME]
            sent += _frame(_DATA, _END_STREAM if start + len(part) == len(body) else 0, 1, part)
        connection.sendall(sent)
        return _answer(connection)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def _fields(fields: dict[str, str]) -> bytes:
    """Encode header fields as literals without indexing."""
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in fields.items())


def _text(text: str) -> bytes:
    return _length(len(text)) + text.encode()


def _length(value: int) -> bytes:
    """Encode a number as RFC 7541, section 5.1, does with a prefix of 7 bits."""
    if value < 127:
        return bytes([value])
    encoded, rest = [127], value - 127
    while rest >= 128:
        encoded.append(128 | rest & 127)
        rest >>= 7
    return bytes([*encoded, rest])


def _answer(connection: socket.socket) -> bytes:
    body = b""
    with connection.makefile("rb") as file:
        while True:
            head = file.read(9)
            assert len(head) == 9, "the connection ended without an answer"
            kind, flags = head[3], head[4]
            payload = file.read(int.from_bytes(head[:3]))
            assert kind not in (_RESET, _GO_AWAY) or body, f"frame {kind}: {payload!r}"
            if kind == _DATA:
                body += payload
            if kind in (_DATA, _HEADERS) and flags & _END_STREAM:
                return body
