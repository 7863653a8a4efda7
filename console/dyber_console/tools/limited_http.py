"""Reads answers over HTTP up to a length, so that no service fills the console's memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import httpx2

#: Objects and lists of JSON, which take much more memory than their bytes.
_MOST_OBJECTS = 40_000


class AnswerTooLong(httpx2.StreamError):
    """Says that a service sent more than is read."""


class LimitedTransport(httpx2.AsyncBaseTransport):
    """Sends requests, and breaks answers off when all of them together are too long.

    Args:
        longest: Bytes that are read of all answers together.
        inner: Sends the requests; it is closed with this transport.
    """

    def __init__(self, longest: int, inner: httpx2.AsyncBaseTransport) -> None:
        self._longest = longest
        self._inner = inner
        self._length = self._objects = 0
        self.is_exceeded = False

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; raise AnswerTooLong for a packed answer, whose length is not known before it is unpacked."""
        request.headers["Accept-Encoding"] = "identity"
        response = await self._inner.handle_async_request(request)
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            self.is_exceeded = True
            raise AnswerTooLong("the answer is packed")
        response.stream = _Counted(cast(httpx2.AsyncByteStream, response.stream), self)
        return response

    def count(self, chunk: bytes) -> None:
        """Count a part of an answer; raise AnswerTooLong when it is too much."""
        self._length += len(chunk)
        self._objects += chunk.count(b"{") + chunk.count(b"[")
        if self._length > self._longest or self._objects > _MOST_OBJECTS:
            self.is_exceeded = True
            raise AnswerTooLong(f"the answer is longer than {self._longest} bytes or {_MOST_OBJECTS} objects")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, transport: LimitedTransport) -> None:
        self._inner = inner
        self._transport = transport

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner:
            self._transport.count(chunk)
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()
