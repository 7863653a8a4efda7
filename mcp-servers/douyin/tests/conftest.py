"""Starts the stand-in for Douyin, and makes services on it with a real Chromium."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
from dyber_kit import ServiceApp, Settings
from dyber_kit.browser.pool import BrowserSettings
from dyber_kit.serving.server import build_server
from mcp import Client
from mcp.types import CallToolResult

from tests.stand_in.platforms.douyin.site import SESSION, DouyinState, create_site
from tests.stand_in.running import StandIn, free_port, running

from douyin_server.config import SiteSettings
from douyin_server.service import build_app

Ask = Callable[..., Awaitable[dict[str, Any]]]
Refused = Callable[..., Awaitable[str]]


@pytest.fixture(scope="session")
def site() -> Iterator[StandIn]:
    """Return the running stand-in."""
    app = create_site()
    with running(uvicorn.Server(uvicorn.Config(app, port=free_port(), log_level="warning"))) as base:
        yield StandIn(base, app)


@pytest.fixture
def state(site: StandIn) -> DouyinState:
    """Return how the stand-in behaves and what it received, as at its start."""
    site.app.state.douyin.reset()
    return site.app.state.douyin


def site_settings(base: str, **values: Any) -> SiteSettings:
    """Return settings for the stand-in, without pauses between pages and without a cache."""
    defaults = {
        "base_url": base, "api_url": base, "page_seconds": 20, "queue_seconds": 20, "interval_seconds": 0,
        "jitter_seconds": 0, "daily_pages": 10_000, "pause_seconds": 0, "cache_seconds": 0, "login_seconds": 30,
    }  # fmt: skip
    return SiteSettings(**(defaults | values))


@pytest.fixture(scope="session")
def make(site: StandIn) -> Callable[..., ServiceApp]:
    """Return a function that makes a service on the stand-in; arguments change the settings of the site."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.fail("Chromium is missing: apt-get install -y chromium")

    def made(settings: Settings | None = None, **values: Any) -> ServiceApp:
        chosen = settings or Settings(port=free_port())
        return build_app(chosen, site_settings(site.base, **values), BrowserSettings(chromium_path=chromium))

    return made


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the data folder of the running service."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def service(make: Callable[..., ServiceApp], data_dir: Path) -> Iterator[str]:
    """Return the base URL of the running service, which all tests of a session share."""
    with running(build_server(make(Settings(port=free_port(), data_dir=data_dir)))) as base:
        yield base


@pytest.fixture
def member(site: StandIn, data_dir: Path) -> Iterator[Path]:
    """Keep the session of a member until the test ends, and return its file."""
    file = data_dir / "storage_state.json"
    cookie = {
        "name": SESSION, "value": "member-5f2c", "domain": urlsplit(site.base).hostname, "path": "/",
        "expires": -1, "httpOnly": True, "secure": False, "sameSite": "Lax",
    }  # fmt: skip
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
        json.dump({"cookies": [cookie], "origins": []}, opened)
    yield file
    file.unlink(missing_ok=True)


@pytest.fixture
def ask(service: str, state: DouyinState) -> Ask:
    """Return a function that calls a tool and returns its answer; `base` chooses another service."""

    async def asked(tool: str, base: str = service, **arguments: Any) -> dict[str, Any]:
        result = await called(base, tool, arguments)
        assert not result.is_error, result.content[0].text
        return result.structured_content

    return asked


@pytest.fixture
def refused(service: str, state: DouyinState) -> Refused:
    """Return a function that calls a tool and returns the text of its error; `base` chooses another service."""

    async def asked(tool: str, base: str = service, **arguments: Any) -> str:
        result = await called(base, tool, arguments)
        assert result.is_error, result.structured_content
        return result.content[0].text

    return asked


@pytest.fixture
def result(service: str, state: DouyinState) -> Callable[..., Awaitable[CallToolResult]]:
    """Return a function that calls a tool and returns its whole result; `base` chooses another service."""

    async def asked(tool: str, base: str = service, **arguments: Any) -> CallToolResult:
        return await called(base, tool, arguments)

    return asked


async def called(base: str, tool: str, arguments: dict[str, Any]) -> CallToolResult:
    async with Client(f"{base}/mcp") as client:
        return await client.call_tool(f"douyin_{tool}", arguments)
