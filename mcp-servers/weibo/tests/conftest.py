"""Starts the stand-in for Weibo, and makes services on it."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from dyber_kit import ServiceApp, Settings
from dyber_kit.browser.pool import BrowserSettings
from dyber_kit.serving.server import build_server
from mcp import Client
from mcp.types import CallToolResult

from tests.stand_in.platforms.weibo.official import APP_ID, APP_SECRET
from tests.stand_in.platforms.weibo.site import create_weibo
from tests.stand_in.platforms.weibo.state import WeiboState
from tests.stand_in.running import free_port, running

from weibo_server.config import WeiboSettings
from weibo_server.service import build_app

Ask = Callable[..., Awaitable[dict[str, Any]]]
Refused = Callable[..., Awaitable[str]]


@dataclass(frozen=True)
class Sites:
    """Holds the addresses of the stand-in: the same application under three names, as of three sites."""

    web: str
    mobile: str
    login: str
    state: WeiboState


@pytest.fixture(scope="session")
def sites() -> Iterator[Sites]:
    """Return the running stand-in."""
    app = create_weibo()
    with ExitStack() as stack:
        ports = [free_port() for _ in range(3)]
        servers = [uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning")) for port in ports]
        web, mobile, login = (stack.enter_context(running(server)) for server in servers)
        state = app.state.weibo
        state.base, state.login_base = web, login
        yield Sites(web, mobile, login, state)


@pytest.fixture
def state(sites: Sites) -> WeiboState:
    """Return what the stand-in received and how it behaves, as at its start."""
    sites.state.reset()
    return sites.state


@pytest.fixture(scope="session")
def make(sites: Sites) -> Callable[..., ServiceApp]:
    """Return a function that makes a service on the stand-in, without pauses and without a cache."""

    def made(settings: Settings | None = None, **values: Any) -> ServiceApp:
        chosen = {
            "base_url": sites.web, "mobile_url": sites.mobile, "login_url": sites.login, "api_url": sites.web,
            "app_id": APP_ID, "app_secret": APP_SECRET, "interval_seconds": 0.0, "jitter_seconds": 0.0,
            "pause_seconds": 0.0, "page_seconds": 20.0, "daily_pages": 10_000, "cache_seconds": 0.0,
            "login_seconds": 30.0, **values,
        }  # fmt: skip
        chromium = shutil.which("chromium")
        if chromium is None:
            pytest.fail("Chromium is missing: apt-get install -y chromium")
        return build_app(
            settings or Settings(port=free_port()), WeiboSettings(**chosen), BrowserSettings(chromium_path=chromium)
        )

    return made


@pytest.fixture
def serve(make: Callable[..., ServiceApp]) -> Callable[..., AbstractContextManager[str]]:
    """Return a context manager that runs a service of its own and yields its base URL."""

    @contextmanager
    def served(settings: Settings | None = None, **values: Any) -> Iterator[str]:
        with running(build_server(make(settings, **values))) as base:
            yield base

    return served


@pytest.fixture(scope="session")
def shared_service(make: Callable[..., ServiceApp], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the base URL of a running service for all tests."""
    data: Path = tmp_path_factory.mktemp("data")
    with running(build_server(make(Settings(port=free_port(), data_dir=data)))) as base:
        yield base


@pytest.fixture
def service(shared_service: str, state: WeiboState) -> str:
    """Return the base URL of a running service, with the stand-in as at its start."""
    return shared_service


@pytest.fixture
def ask(service: str) -> Ask:
    """Return a function that calls a tool and returns its answer; `at` chooses another service."""

    async def asked(tool: str, at: str | ServiceApp = service, **arguments: Any) -> dict[str, Any]:
        result = await called(at, tool, arguments)
        assert not result.is_error, result.content[0].text
        return result.structured_content

    return asked


@pytest.fixture
def refusal(service: str) -> Refused:
    """Return a function that calls a tool and returns the text of its error; `at` chooses another service."""

    async def asked(tool: str, at: str | ServiceApp = service, **arguments: Any) -> str:
        result = await called(at, tool, arguments)
        assert result.is_error, result.structured_content
        return result.content[0].text

    return asked


@pytest.fixture
def call() -> Callable[..., Awaitable[CallToolResult]]:
    """Return a function that calls a tool and returns its result."""
    return called


async def called(at: str | ServiceApp, tool: str, arguments: dict[str, Any]) -> CallToolResult:
    """Call a tool of a running service; or of an application without its browser, which the official API suffices."""
    async with Client(f"{at}/mcp" if isinstance(at, str) else at.mcp) as client:
        return await client.call_tool(f"weibo_{tool}", arguments)
