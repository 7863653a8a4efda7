"""Receives lines of syslog as datagrams on a Unix socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

#: Every user may send, as the gateway has another one. Who can reach the socket is decided by who mounts its folder.
_MODE = 0o666

TakeLine = Callable[[str], None]


class _Datagrams(asyncio.DatagramProtocol):
    """Gives each datagram to a function as a line."""

    def __init__(self, take: TakeLine) -> None:
        self._take = take

    def datagram_received(self, data: bytes, address: object) -> None:
        """Take one message of syslog."""
        self._take(data.decode("utf-8", errors="replace"))


@asynccontextmanager
async def receiving(path: Path, take: TakeLine) -> AsyncIterator[None]:
    """Call `take` with each line that comes in on the socket `path`, until the context ends.

    A socket that an earlier console left there is replaced.

    Raises:
        OSError: The socket cannot be made there.
    """
    listening = _listen(path)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: _Datagrams(take), sock=listening)
    try:
        yield
    finally:
        transport.close()
        await asyncio.to_thread(path.unlink, missing_ok=True)


def _listen(path: Path) -> socket.socket:
    """Return a new socket at `path`, which appears there when it is complete."""
    partial = path.with_name(f".{path.name}")
    partial.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        listening.setblocking(False)
        listening.bind(str(partial))
        partial.chmod(_MODE)
        partial.replace(path)
    except OSError:
        listening.close()
        raise
    return listening
