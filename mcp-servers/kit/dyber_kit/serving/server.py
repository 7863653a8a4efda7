"""Runs an app so that stopping it loses no call."""

from __future__ import annotations

import asyncio
import logging
import socket
import time

import uvicorn
from sse_starlette.sse import AppStatus
from starlette.types import Scope

from dyber_kit.serving.app import ServiceApp

logger = logging.getLogger("dyber.server")

KEEP_ALIVE_SECONDS = 75
# How long a stopping server still takes connections. Docker's DNS names it, and so the gateway calls it, until it exits.
_LAME_DUCK_SECONDS = 1.0
# How much longer it does so while legacy sessions have calls running: their next POST can go nowhere else.
_SESSION_SECONDS = 3.0
# Between the end of the last call and the end of SSE streams: its answer must still go out.
_FLUSH_SECONDS = 0.5


class DrainingServer(uvicorn.Server):
    """uvicorn, but after SIGTERM it first serves on for a moment, and ends SSE streams only between calls.

    From SIGTERM on every answer carries `Connection: close`, and new legacy streams are left to other containers. After
    1 s, each legacy session ends as soon as it is quiet; connections are taken until all have ended, 3 s more at
    most. Then listening sockets and idle connections are closed, what still runs is finished, and the gateway, refused
    here, takes another container.

    What can still be lost, each time within milliseconds: a request that the gateway writes on an idle kept-alive
    connection, or on a connection not yet accepted, at the instant it is closed here (Nginx repeats all but POST); and
    a session's POST that is under way while the end of its stream is under way to the client. That one gets 404 and
    has not been executed. A session that calls without a pause, or has a call running for longer than the 3 s, finishes
    its calls but cannot start another.
    """

    def __init__(self, config: uvicorn.Config, app: ServiceApp) -> None:
        super().__init__(config)
        self._calls = app.calls
        self._sessions = app.sessions

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve on for a moment, stop accepting, wait for calls in flight (up to the graceful timeout), then close."""
        self._calls.draining = True
        self._sessions.hang_up = self._hang_up
        logger.info("draining", extra={"in_flight": self._calls.in_flight, "sessions": len(self._sessions.open)})
        await asyncio.sleep(_LAME_DUCK_SECONDS)
        deadline = time.monotonic() + _SESSION_SECONDS
        while not self._sessions.end_quiet() and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        release = asyncio.create_task(self._release_streams())
        try:
            await super().shutdown(sockets)
        finally:
            release.cancel()
            AppStatus.should_exit = False

    def _hang_up(self, scope: Scope) -> None:
        for connection in list(self.server_state.connections):
            if getattr(connection, "client", None) == scope["client"]:
                connection.transport.close()

    async def _release_streams(self) -> None:
        while not self._sessions.end_quiet() or self._calls.in_flight:
            await asyncio.sleep(0.05)
        await asyncio.sleep(_FLUSH_SECONDS)
        AppStatus.should_exit = True


def build_server(app: ServiceApp) -> DrainingServer:
    """A server for `app`, not yet running; `await serve()` runs it inside an existing event loop."""
    # By default the SSE library cuts every stream, also those with an answer pending, at the first SIGTERM.
    AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call] # the library has no types for it
    AppStatus.should_exit = False
    config = uvicorn.Config(
        app,
        host=app.settings.host,
        port=app.settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(app.settings.max_call_seconds) + 1,
    )
    return DrainingServer(config, app)


def run(app: ServiceApp) -> None:
    """Serve `app` on its HOST and PORT until SIGTERM or SIGINT; returns when drained."""
    build_server(app).run()
