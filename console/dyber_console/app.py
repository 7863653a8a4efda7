"""Builds the console's application, and runs what keeps it up to date."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
import uvicorn
from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from dyber_console.identity.guard import Guard
from dyber_console.intake.polling import Poller
from dyber_console.intake.receiving import Receiver
from dyber_console.intake.spans import spans_app
from dyber_console.intake.syslog import receiving
from dyber_console.pages import calls, changes, clients, live_events, metrics, overview, service, sign_in, tools
from dyber_console.pages.access import FormRefused, NotSignedIn, to_sign_in
from dyber_console.pages.parts.assets import Assets
from dyber_console.pages.preferences import Preferences, change
from dyber_console.pages.rendering import Renderer
from dyber_console.pages.unknown import unknown_page
from dyber_console.settings import BASE
from dyber_console.state import Console

_TOOLS_SECONDS = 900.0
_RETRY_SECONDS = 30.0
_SMALLEST_COMPRESSED = 1024

logger = logging.getLogger("dyber_console")


def build_app(console: Console, background: bool = True) -> FastAPI:
    """Return the application with the console's pages.

    Args:
        console: The parts that the pages show.
        background: Whether it also takes in logs and spans, polls the gateway and lists tools while it runs.
    """
    tasks: list[asyncio.Future[Any]] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if background:
                tasks.extend(await stack.enter_async_context(_running(console)))
            yield

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    assets = Assets()
    renderer = Renderer(console, assets)
    for router in (
        sign_in.routes(console, renderer),
        live_events.routes(console),
        metrics.routes(console),
        overview.routes(console, renderer),
        calls.routes(console, renderer),
        service.routes(console, renderer),
        tools.routes(console, renderer),
        clients.routes(console, renderer),
        changes.routes(console, renderer),
    ):
        app.include_router(router)

    @app.get("/health")
    async def health() -> Response:
        return PlainTextResponse("OK\n")

    @app.get("/ready")
    async def ready() -> Response:
        if any(task.done() for task in tasks):
            return PlainTextResponse("A part that records calls has ended; restart the console.\n", 503)
        return PlainTextResponse("OK\n")

    @app.get(BASE)
    async def root() -> Response:
        return RedirectResponse(f"{BASE}/", 308)

    @app.get(f"{BASE}/static/{{name}}")
    async def static(request: Request) -> Response:
        return assets.response(request.url.path)

    @app.post(f"{BASE}/preferences")
    async def preferences(request: Request) -> Response:
        return await change(request)

    @app.exception_handler(NotSignedIn)
    async def not_signed_in(request: Request, error: Exception) -> Response:
        return to_sign_in(request)

    @app.exception_handler(404)
    async def unknown(request: Request, error: Exception) -> Response:
        return unknown_page(console, renderer, request)

    @app.exception_handler(405)
    async def not_to_read(request: Request, error: Exception) -> Response:
        """Answer the address of a form that was opened as a page; other methods the guard refuses."""
        return unknown_page(console, renderer, request)

    @app.exception_handler(FormRefused)
    async def form_refused(request: Request, error: Exception) -> Response:
        return PlainTextResponse("This form is out of date; go back, reload the page and send it again.\n", 403)

    app.add_middleware(GZipMiddleware, minimum_size=_SMALLEST_COMPRESSED)
    app.add_middleware(Preferences, settings=console.settings)
    app.add_middleware(Guard, allowed_hosts=console.settings.allowed_hosts)
    return app


@asynccontextmanager
async def _running(console: Console) -> AsyncIterator[list[asyncio.Future[Any]]]:
    """Take in logs and spans, poll the gateway and list tools until the context ends; yield the tasks that do it."""
    settings = console.settings
    receiver = Receiver(console.store, console.live, console.files, console.board, console.export)
    spans = uvicorn.Server(
        uvicorn.Config(
            spans_app(receiver.take_spans, console.export.take if console.export else None, receiver.take_logs),
            host=settings.host,
            port=settings.spans_port,
            log_level="warning",
            access_log=False,
            lifespan="off",
        )
    )
    console.files.refresh()
    # Counted here, as the first page would wait for it: 0.4 s for 100,000 calls.
    console.day.whole(console.live.clock())
    async with AsyncExitStack() as stack:
        # For HTTP the client need not read the certificates of all authorities, which takes 30 ms and some MiB.
        verify = any((url or "").startswith("https:") for url in (settings.gateway_url, settings.metrics_url))
        client = await stack.enter_async_context(httpx2.AsyncClient(timeout=10, verify=verify))
        if settings.syslog_socket:
            await stack.enter_async_context(receiving(settings.syslog_socket, receiver.take_line))
        poller = Poller(settings, client, console.live, console.store, console.board)
        # Not `serve`, which would take the signals away from the server of the pages.
        work: list[Callable[[], Awaitable[object]]] = [poller.run, receiver.run, spans._serve]
        if settings.token:
            work.append(lambda: _list_tools(console))
        if console.export is not None:
            work.append(console.export.run)
        tasks: list[asyncio.Future[Any]] = [asyncio.ensure_future(each()) for each in work]
        for task in tasks:
            task.add_done_callback(_log_end)
        try:
            yield tasks
        finally:
            spans.should_exit = True
            receiver.write()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            receiver.write()


def _log_end(task: asyncio.Future[Any]) -> None:
    """Log why a task ended that should run as long as the console."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("a part of the console ended: %s: %s", type(error).__name__, error)


async def _list_tools(console: Console) -> None:
    """List the tools of each service now and then; a service that did not answer is asked again sooner."""
    asked: dict[str, float] = {}
    while True:
        now = console.live.clock()
        for name, status in list(console.live.services.items()):
            listing = console.tools.listings.get(name)
            interval = _TOOLS_SECONDS if listing and now - listing.at < 2 * _TOOLS_SECONDS else _RETRY_SECONDS
            if status.ready and now - asked.get(name, 0.0) >= interval:
                asked[name] = now
                if await console.tools.refresh(name):
                    console.board.changed("contracts")
        await asyncio.sleep(2)
