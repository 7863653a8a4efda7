"""Runs a real HTTP proxy for tests: it forwards requests and opens tunnels, and records both."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """Holds a running proxy.

    Attributes:
        url: Address of the proxy.
        target: Host and port to which everything is sent, whatever the request names.
        received: First lines of the requests.
        password: What clients have to send, such as `user:password`; empty for nothing.
        refuses: Whether the proxy refuses every destination.
    """

    url: str
    target: tuple[str, int]
    received: list[str] = field(default_factory=list)
    password: str = ""
    refuses: bool = False


@contextlib.asynccontextmanager
async def running_proxy(target: tuple[str, int]) -> AsyncIterator[Proxy]:
    """Run a proxy that sends everything to `target`."""
    proxy = Proxy("", target)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await _serve(proxy, reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()


async def _serve(proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    proxy.received.append(first)
    wanted = "proxy-authorization: basic " + base64.b64encode(proxy.password.encode()).decode()
    if proxy.password and wanted.lower() not in (line.lower() for line in lines):
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        return
    method, address, _ = first.split(" ")
    if proxy.refuses:
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        return
    onward_reader, onward_writer = await asyncio.open_connection(*proxy.target)
    if method == "CONNECT":
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    else:
        path = "/" + address.split("/", 3)[3]
        kept = [line for line in lines if line and not line.lower().startswith(("proxy-", "connection:"))]
        onward_writer.write("\r\n".join([f"{method} {path} HTTP/1.1", *kept, "connection: close", "", ""]).encode())
    await asyncio.gather(_copy(reader, onward_writer), _copy(onward_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
