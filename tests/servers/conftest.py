"""Starts the servers for the tests of this folder: real servers on real ports."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import uvicorn
from dyber_kit import Settings
from dyber_kit.browser.pool import BrowserSettings
from dyber_kit.serving.server import build_server
from mcp import Client
from mcp.client.sse import sse_client
from template_server.service import build_app as build_template
from xiaohongshu_server.service import build_app as build_xiaohongshu

from tests.stand_in.platforms.xiaohongshu import site as stand_in_site
from tests.stand_in.platforms.xiaohongshu.calls import stand_in_settings
from tests.stand_in.running import StandIn, free_port, running

Connect = Callable[[str], AbstractAsyncContextManager[Client]]

CONNECTIONS: dict[str, Connect] = {
    "modern": lambda base: Client(f"{base}/mcp"),
    "legacy": lambda base: Client(f"{base}/mcp", mode="legacy"),
    "sse": lambda base: Client(sse_client(f"{base}/mcp/sse"), mode="legacy"),
}


@pytest.fixture(params=list(CONNECTIONS))
def connect(request: pytest.FixtureRequest) -> Connect:
    """Return a function that opens an SDK client; tests run once for each transport and protocol era."""
    return CONNECTIONS[request.param]


@pytest.fixture(scope="session")
def template() -> Iterator[str]:
    """Return the base URL of a running template service."""
    app = build_template(Settings(port=free_port()))
    with running(build_server(app)) as base:
        yield base


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of the browser for the tests."""
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("Chromium is missing: apt-get install -y chromium")
    return path


@pytest.fixture(scope="session")
def stand_in() -> Iterator[StandIn]:
    """Return a running stand-in for xiaohongshu.com."""
    site = stand_in_site.create_site()
    with running(uvicorn.Server(uvicorn.Config(site, port=free_port(), log_level="warning"))) as base:
        yield StandIn(base, site)


@pytest.fixture(scope="session")
def site(stand_in: StandIn) -> str:
    """Return the base URL of the stand-in for xiaohongshu.com."""
    return stand_in.base


@pytest.fixture(scope="session")
def xiaohongshu_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the data folder of the running xiaohongshu service."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def xiaohongshu(site: str, chromium: str, xiaohongshu_data: Path) -> Iterator[str]:
    """Return the base URL of a running xiaohongshu service on the stand-in, without pauses and without a cache."""
    app = build_xiaohongshu(
        Settings(port=free_port(), data_dir=xiaohongshu_data, read_only=False),
        stand_in_settings(site, xiaohongshu_data, accounts=("default", "second", "widget"), login_seconds=30),
        BrowserSettings(chromium_path=chromium),
    )
    with running(build_server(app)) as base:
        yield base
