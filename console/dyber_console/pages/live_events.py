"""Tells open pages over an event stream which parts changed, by name and without values."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from dyber_console.pages.access import session_of
from dyber_console.settings import BASE
from dyber_console.state import Console

#: A comment is sent when nothing changed for so long, so that proxies keep the stream.
_QUIET_SECONDS = 20.0
_MOST_STREAMS = 50
#: Streams end after this time, and browsers open another: a gateway that stops waits for streams, and sessions end.
_LONGEST_SECONDS = 45.0


def routes(console: Console) -> APIRouter:
    """Return the route of the event stream."""
    router = APIRouter()
    open_streams: set[int] = set()

    async def events() -> AsyncIterator[bytes]:
        number = max(open_streams, default=0) + 1
        open_streams.add(number)
        try:
            async with console.board.watching() as watch:
                yield b"retry: 2000\n\n"
                end = asyncio.get_running_loop().time() + _LONGEST_SECONDS
                while (left := end - asyncio.get_running_loop().time()) > 0:
                    names = await watch.next(min(_QUIET_SECONDS, left))
                    yield f"data: {' '.join(names)}\n\n".encode() if names else b":\n\n"
        finally:
            open_streams.discard(number)

    @router.get(f"{BASE}/events")
    async def stream(request: Request) -> Response:
        session_of(console, request)
        if len(open_streams) >= _MOST_STREAMS:
            return Response("Too many pages are open.\n", 503, media_type="text/plain")
        return StreamingResponse(events(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    return router
