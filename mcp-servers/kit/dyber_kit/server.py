"""Runs an app so that stopping it loses no call."""

from __future__ import annotations

import asyncio
import logging
import socket

import uvicorn
from sse_starlette.sse import AppStatus

from dyber_kit.app import ServiceApp
from dyber_kit.calls import Calls

logger = logging.getLogger("dyber.server")

KEEP_ALIVE_SECONDS = 75
# How long idle kept-alive connections stay usable after SIGTERM: whoever uses one is told to close it.
_LAME_DUCK_SECONDS = 1.0
# Between the end of the last call and the end of SSE streams: its answer must still go out.
_FLUSH_SECONDS = 0.5


class DrainingServer(uvicorn.Server):
    """uvicorn, but SIGTERM ends SSE streams only after the calls that answer through them."""

    def __init__(self, config: uvicorn.Config, calls: Calls) -> None:
        super().__init__(config)
        self._calls = calls

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, wait for calls in flight (up to the graceful timeout), then close."""
        self._calls.draining = True
        logger.info("draining", extra={"in_flight": self._calls.in_flight})
        for server in self.servers:
            server.close()
        await asyncio.sleep(_LAME_DUCK_SECONDS)
        release = asyncio.create_task(self._release_streams())
        try:
            await super().shutdown(sockets)
        finally:
            release.cancel()
            AppStatus.should_exit = False

    async def _release_streams(self) -> None:
        while self._calls.in_flight:
            await asyncio.sleep(0.05)
        await asyncio.sleep(_FLUSH_SECONDS)
        AppStatus.should_exit = True


def build_server(app: ServiceApp) -> DrainingServer:
    """A server for `app`, not yet running; `await serve()` runs it inside an existing event loop."""
    # By default the SSE library cuts every stream, also those with an answer pending, at the first SIGTERM.
    AppStatus.disable_automatic_graceful_drain()
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
    return DrainingServer(config, app.calls)


def run(app: ServiceApp) -> None:
    """Serve `app` on its HOST and PORT until SIGTERM or SIGINT; returns when drained."""
    build_server(app).run()
