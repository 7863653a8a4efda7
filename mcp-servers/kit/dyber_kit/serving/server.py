"""Runs an app, and stops it without losing calls."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol, cast

import uvicorn
from sse_starlette.sse import AppStatus
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dyber_kit.calling.calls import Calls
from dyber_kit.serving.mcp.legacy_sse import LegacySessions
from dyber_kit.settings import Settings

logger = logging.getLogger("dyber.server")

KEEP_ALIVE_SECONDS = 75
#: How long a stopping server still accepts connections: until it exits, Docker's DNS lists it and the gateway calls it.
#: Longer than the gateway keeps an idle connection (keepalive_timeout in nginx/templates/upstreams.conf.j2), so that the
#: gateway has none left that it could call on while this server closes it.
STILL_SERVING_SECONDS = 1.5
# How much longer it does so while legacy sessions have calls running: only it can answer their next POST.
_SESSION_SECONDS = 3.0
# How long asyncio is given to set up the connections that it has accepted; it needs two turns of its loop.
_SET_UP_SECONDS = 0.02
# How long a connection may take to send its first request after the server has stopped listening.
_FIRST_REQUEST_SECONDS = 1.0
# Pause between the end of the last call and the end of SSE streams, in which its answer is sent.
_FLUSH_SECONDS = 0.5


class ServedApp(Protocol):
    """Says what a server needs of the application that it runs."""

    @property
    def calls(self) -> Calls:
        """Return the calls, for which a stopping server waits."""

    @property
    def sessions(self) -> LegacySessions:
        """Return the open legacy sessions."""

    @property
    def settings(self) -> Settings:
        """Return where the server listens, and how long calls take at most."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""


class _JoinedWrites:
    """Writes the head of a response together with the beginning of its body, as each write is a packet.

    uvicorn writes the head by itself. Without a body in the same turn of the event loop, it is sent then.
    """

    __slots__ = ("_head", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write `data`, or keep it for a moment when it is a head."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head + data)
        elif data.startswith(b"HTTP/1.1 "):
            self._head = data
            self._loop.call_soon(self._write_head)
        else:
            self._transport.write(data)

    def close(self) -> None:
        """Close the connection when everything is written."""
        self._write_head()
        self._transport.close()

    def _write_head(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)


class _HttpProtocol(HttpToolsProtocol):
    """Reads requests with httptools, which leaves the spaces after a header's value that HTTP does not count to it.

    httptools is written in C: a call costs about a quarter less processor time than with h11 (bench/bridge.py).
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn itself
        super().connection_made(cast(asyncio.Transport, _JoinedWrites(transport)))

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value.strip(b" \t"))


class DrainingServer(uvicorn.Server):
    """Extends uvicorn: after SIGTERM it first serves on for a moment, and it ends SSE streams only between calls.

    From SIGTERM on, every answer has `Connection: close`, and new legacy streams are left to other containers. After
    1.5 s, each legacy session ends as soon as it is quiet; connections are accepted until all sessions have ended, at
    most 3 s more. Then new connections are refused, so that the gateway calls another container. Those that the kernel
    has accepted by then are served. Idle connections are closed, which the gateway has stopped using before, and
    running calls are finished.

    Only a session's POST can still be lost, if it is sent before the client has seen the end of its stream: it gets 404
    and is not executed. A session that calls without a pause, or has a call running for longer than the 3 s, finishes
    its calls but cannot start another.
    """

    def __init__(self, config: uvicorn.Config, app: ServedApp) -> None:
        super().__init__(config)
        self._calls = app.calls
        self._sessions = app.sessions

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve on for a moment, stop accepting connections, wait for calls up to the graceful timeout, then close."""
        self._calls.draining = True
        self._sessions.hang_up = self._hang_up
        logger.info("draining", extra={"in_flight": self._calls.in_flight, "sessions": len(self._sessions.open)})
        await asyncio.sleep(STILL_SERVING_SECONDS)
        deadline = time.monotonic() + _SESSION_SECONDS
        while not self._sessions.end_quiet() and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        await self._stop_listening()
        release = asyncio.create_task(self._release_streams())
        try:
            await super().shutdown(sockets)
        finally:
            release.cancel()
            AppStatus.should_exit = False

    async def _stop_listening(self) -> None:
        """Refuse new connections, and wait until those already made have sent their first request.

        asyncio would reset the connections that wait in the kernel's queue, and uvicorn would close those whose request
        has not been read yet. The sender may not repeat either of these requests, as it cannot know their fate.
        """
        loop = asyncio.get_running_loop()
        listeners = [listener for server in self.servers for listener in server.sockets]
        # Duplicates, so that the queues remain when asyncio closes its sockets.
        queues = [socket.socket(fileno=os.dup(listener.fileno())) for listener in listeners]
        for listener in listeners:
            loop.remove_reader(listener.fileno())
        # asyncio drops a connection that it has accepted but not set up yet when the server is closed.
        await asyncio.sleep(_SET_UP_SECONDS)
        for server in self.servers:
            server.close()
        for queue in queues:
            with queue:
                accepted = _queued(queue)
            for connection in accepted:
                await loop.connect_accepted_socket(self._protocol, connection)
        deadline = time.monotonic() + _FIRST_REQUEST_SECONDS
        while any(_has_no_request(connection) for connection in self.server_state.connections):
            if time.monotonic() > deadline:
                return
            await asyncio.sleep(0.02)

    def _protocol(self) -> asyncio.Protocol:
        protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg] # as uvicorn itself does
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol

    def _hang_up(self, scope: Scope) -> None:
        for connection in list(self.server_state.connections):
            if getattr(connection, "client", None) == scope["client"]:
                connection.transport.close()

    async def _release_streams(self) -> None:
        while not self._sessions.end_quiet() or self._calls.in_flight:
            await asyncio.sleep(0.05)
        await asyncio.sleep(_FLUSH_SECONDS)
        AppStatus.should_exit = True


def _queued(listener: socket.socket) -> list[socket.socket]:
    """Accept all connections that wait in a listening socket's queue."""
    listener.setblocking(False)
    accepted: list[socket.socket] = []
    while True:
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            return accepted
        except ConnectionError:
            # The client has given this one up.
            continue
        connection.setblocking(False)
        accepted.append(connection)


def _has_no_request(connection: object) -> bool:
    """Return whether an HTTP connection has not sent a whole request head yet."""
    return hasattr(connection, "cycle") and connection.cycle is None


def build_server(app: ServedApp) -> DrainingServer:
    """Return a server for `app` that does not run yet; `await serve()` runs it in the current event loop."""
    # By default the SSE library ends every stream at the first SIGTERM, even when an answer is pending.
    AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call] # the library has no types for it
    AppStatus.should_exit = False
    config = uvicorn.Config(
        app,
        host=app.settings.host,
        port=app.settings.port,
        http=_HttpProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(app.settings.max_call_seconds) + 1,
    )
    return DrainingServer(config, app)


def run(app: ServedApp) -> None:
    """Serve `app` on its HOST and PORT until SIGTERM or SIGINT; return when all calls are finished."""
    build_server(app).run()


def run_built(build_app: Callable[[], ServedApp]) -> int:
    """Build an app and serve it until SIGTERM; return the exit code of the process.

    It is 2 when `build_app` raises ValueError, whose message is printed.
    """
    try:
        app = build_app()
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    # uvicorn repeats the signal that stopped it, which would otherwise end this process as if it had been killed.
    signal.signal(signal.SIGTERM, lambda *_: None)
    run(app)
    return 0
