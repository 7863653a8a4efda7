"""Receives lines over syslog: datagrams over UDP, and lines over TCP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

_LONGEST_LINE = 64 * 1024
_IDLE_SECONDS = 3600.0

TakeLine = Callable[[str], None]


class _Datagrams(asyncio.DatagramProtocol):
    """Gives each datagram to a function as a line."""

    def __init__(self, take: TakeLine) -> None:
        self._take = take

    def datagram_received(self, data: bytes, address: object) -> None:
        """Take one message of syslog."""
        self._take(data.decode("utf-8", errors="replace"))


@asynccontextmanager
async def receiving(host: str, port: int, take: TakeLine) -> AsyncIterator[None]:
    """Call `take` with each line that comes in on `port`, over UDP and TCP, until the context ends.

    Raises:
        OSError: The port is in use.
    """
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Datagrams(take), local_addr=(host, port)
    )
    try:
        server = await asyncio.start_server(_lines_to(take), host, port, limit=_LONGEST_LINE)
        async with server:
            yield
    finally:
        transport.close()


def _lines_to(take: TakeLine) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], asyncio.Future[None]]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await asyncio.wait_for(reader.readline(), _IDLE_SECONDS):
                take(line.decode("utf-8", errors="replace"))
        except (ValueError, ConnectionError, TimeoutError):
            pass  # A line that is too long, or a sender that is gone: it connects again.
        finally:
            writer.close()

    return serve  # type: ignore[return-value]
