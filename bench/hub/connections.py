"""Sends a request over and over on a connection of its own, with as little work as possible: the programs that are
measured share the processor with this client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx2

#: Answers up to this size are read without a pause.
_BUFFERED = 2**20


class Repeater:
    """Sends the same request each time it is called, and checks the answer.

    The check of an answer that has the same bytes as a checked one is left out. The connection is made anew when the
    server says that it closes it.

    Args:
        url: Where the request goes, without TLS.
        headers: The headers of the request, without those about the connection and the body.
        body: The body of the request.
        check: Raises an error for an answer that does not count.
    """

    def __init__(
        self, url: str, headers: dict[str, str], body: bytes, check: Callable[[httpx2.Response], None]
    ) -> None:
        target = httpx2.URL(url)
        self._host, self._port = target.host, target.port or 80
        lines = {"Host": target.netloc.decode(), **headers, "Content-Length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._request = b"POST %b HTTP/1.1\r\n%b\r\n%b" % (target.raw_path, head.encode(), body)
        self._check = check
        self._checked: bytes | None = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __call__(self) -> None:
        """Send the request and read its answer. Raises OSError and EOFError if the connection breaks."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port, limit=_BUFFERED)
        reader, writer = self._streams
        writer.write(self._request)
        head = await reader.readuntil(b"\r\n\r\n")
        status, headers = _head_of(head)
        body = await _body_of(reader, headers)
        if headers.get("connection", "").lower() == "close":
            self.close()
        if status != 200 or body != self._checked:
            self._check(
                httpx2.Response(status, headers={"content-type": headers.get("content-type", "")}, content=body)
            )
            self._checked = body

    def close(self) -> None:
        """Close the connection; the next call makes another."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def _head_of(head: bytes) -> tuple[int, dict[str, str]]:
    """Return the status and the headers, whose names are in lower case."""
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in lines if line)
    return int(first.split(" ", 2)[1]), {name.lower(): value.strip() for name, _, value in fields}


async def _body_of(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    parts = []
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return b"".join(parts)
