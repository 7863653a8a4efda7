"""Starts the stand-in for Zhihu, and makes services on it: for the official API alone, or with a real Chromium."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from dyber_kit import ServiceApp, Settings
from dyber_kit.browser.pool import BrowserSettings
from dyber_kit.serving.server import build_server
from mcp import Client
from zhihu_results import answer_of, error_of, write_session

from tests.stand_in.platforms.zhihu.site import SECRET, ZhihuState, create_zhihu
from tests.stand_in.running import StandIn, free_port, running

from zhihu_server.config import ZhihuSettings
from zhihu_server.service import build_app

Answer = dict[str, Any]
Ask = Callable[..., Awaitable[Answer]]
Refused = Callable[..., Awaitable[str]]


@pytest.fixture(scope="session")
def site() -> Iterator[StandIn]:
    """Return the running stand-in."""
    app = create_zhihu()
    with running(uvicorn.Server(uvicorn.Config(app, port=free_port(), log_level="warning"))) as base:
        yield StandIn(base, app)


@pytest.fixture
def state(site: StandIn) -> ZhihuState:
    """Return what the stand-in received and how it behaves, as at its start."""
    site.app.state.zhihu.reset()
    return site.app.state.zhihu


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of the real Chromium."""
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("Chromium is missing: apt-get install -y chromium")
    return path


@pytest.fixture
def make(site: StandIn, state: ZhihuState, chromium: str, tmp_path: Path) -> Callable[..., ServiceApp]:
    """Return a function that makes a service with a secret and a session on the stand-in.

    Arguments change its settings; `member=False` makes it without a session.
    """

    def made(settings: Settings | None = None, member: bool = True, **values: Any) -> ServiceApp:
        if member:
            write_session(tmp_path)
        chosen = {
            "base_url": site.base,
            "api_url": site.base,
            "secret": SECRET,
            "interval_seconds": 0,
            "jitter_seconds": 0,
            "page_seconds": 20,
            "login_seconds": 30,
            **values,
        }
        settings = settings or Settings(port=free_port(), data_dir=tmp_path)
        return build_app(settings, ZhihuSettings(**chosen), BrowserSettings(chromium_path=chromium))

    return made


@pytest.fixture
def app(make: Callable[..., ServiceApp]) -> ServiceApp:
    """Return a service whose browser is not started: for the official API."""
    return make()


@pytest.fixture
def ask(app: ServiceApp) -> Ask:
    """Return a function that calls a tool without a browser and returns its answer."""

    async def asked(tool: str, app: ServiceApp = app, **arguments: Any) -> Answer:
        async with Client(app.mcp) as client:
            return answer_of(await client.call_tool(f"zhihu_{tool}", arguments))

    return asked


@pytest.fixture
def refused(app: ServiceApp) -> Refused:
    """Return a function that calls a tool without a browser and returns the text of its error."""

    async def asked(tool: str, app: ServiceApp = app, **arguments: Any) -> str:
        async with Client(app.mcp) as client:
            return error_of(await client.call_tool(f"zhihu_{tool}", arguments))

    return asked


@pytest.fixture
def browse(make: Callable[..., ServiceApp]) -> Callable[..., Any]:
    """Return a function that runs a service with its browser, and gives a client of it."""

    @asynccontextmanager
    async def browsing(**values: Any) -> AsyncIterator[Client]:
        with running(build_server(make(**values))) as base:
            async with Client(f"{base}/mcp") as client:
                yield client

    return browsing
