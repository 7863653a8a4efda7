"""Starts the stand-in for Bilibili, and services on it with a real Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from dyber_kit import Settings
from dyber_kit.browser.pool import BrowserSettings
from dyber_kit.browser.sessions import SessionStore
from dyber_kit.serving.server import build_server
from mcp import Client
from mcp.types import CallToolResult

from tests.stand_in.platforms.bilibili import site as bilibili
from tests.stand_in.running import StandIn, free_port, running

from bilibili_server.config import SiteSettings
from bilibili_server.service import build_app

Call = Callable[..., Awaitable[CallToolResult]]
Ask = Callable[..., Awaitable[dict[str, Any]]]
Refused = Callable[..., Awaitable[str]]
Serve = Callable[..., AbstractContextManager[str]]


@pytest.fixture(scope="session")
def running_site() -> Iterator[StandIn]:
    """Return the running stand-in."""
    app = bilibili.create_site()
    with running(uvicorn.Server(uvicorn.Config(app, port=free_port(), log_level="warning"))) as base:
        yield StandIn(base, app)


@pytest.fixture
def site(running_site: StandIn) -> StandIn:
    """Return the stand-in as it is at its start."""
    bilibili.reset(running_site.app)
    return running_site


def write_session(data: Path, account: str) -> None:
    """Store a session of the stand-in, as an import of cookies does; the first account is stored as `default`."""
    cookie = {
        "name": bilibili.COOKIE, "value": "member-5f2c", "domain": "127.0.0.1", "path": "/", "expires": -1,
        "httpOnly": True, "secure": False, "sameSite": "Lax",
    }  # fmt: skip
    SessionStore(data).write({"cookies": [cookie], "origins": []}, account)


@pytest.fixture
def log_in() -> Callable[[Path, str], None]:
    """Return the function that stores a session of an account in a folder."""
    return write_session


@pytest.fixture(scope="session")
def serve(running_site: StandIn) -> Serve:
    """Return a function that runs a service on the stand-in; its account `member` is logged in."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.fail("Chromium is missing: apt-get install -y chromium")

    @contextmanager
    def served(data: Path, privacy: bool = False, **values: Any) -> Iterator[str]:
        write_session(data, "member")
        quick = {
            "accounts": ("guest", "member", "scanning"), "interval_seconds": 0, "jitter_seconds": 0, "page_seconds": 12,
            "login_seconds": 30, "pause_seconds": 0, "cache_seconds": 0, "daily_pages": 10_000,
        }  # fmt: skip
        app = build_app(
            Settings(port=free_port(), data_dir=data, privacy=privacy),
            SiteSettings(base_url=running_site.base, **{**quick, **values}),
            BrowserSettings(chromium_path=chromium),
        )
        with running(build_server(app)) as base:
            yield base

    return served


@pytest.fixture(scope="session")
def service(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the base URL of a service without pauses and without a cache."""
    with serve(tmp_path_factory.mktemp("data")) as base:
        yield base


@pytest.fixture
def call(service: str, site: StandIn) -> Call:
    """Return a function that calls a tool and returns its result; `base` chooses another service."""

    async def called(tool: str, base: str = service, **arguments: Any) -> CallToolResult:
        async with Client(f"{base}/mcp") as client:
            return await client.call_tool(f"bilibili_{tool}", arguments)

    return called


@pytest.fixture
def ask(call: Call) -> Ask:
    """Return a function that calls a tool and returns its answer."""

    async def asked(tool: str, *base: str, **arguments: Any) -> dict[str, Any]:
        result = await call(tool, *base, **arguments)
        assert not result.is_error, result.content[0].text
        return result.structured_content

    return asked


@pytest.fixture
def refused(call: Call) -> Refused:
    """Return a function that calls a tool and returns the text of its error."""

    async def asked(tool: str, *base: str, **arguments: Any) -> str:
        result = await call(tool, *base, **arguments)
        assert result.is_error, result.structured_content
        return result.content[0].text

    return asked
