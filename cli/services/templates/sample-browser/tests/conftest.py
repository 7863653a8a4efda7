"""Starts the stand-in of the website, and the whole service on top of it with a real Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from dyber_kit import Settings
from dyber_kit.browser.pool import BrowserSettings
from dyber_kit.serving.server import build_server

from tests.stand_in.running import StandIn, free_port, running

import sample_browser_stand_in
from sample_browser_server.config import SiteSettings
from sample_browser_server.service import build_app


@pytest.fixture
def site() -> Iterator[StandIn]:
    """Return a running stand-in, which nobody has visited."""
    app = sample_browser_stand_in.create_site()
    with running(uvicorn.Server(uvicorn.Config(app, port=free_port(), log_level="warning"))) as base:
        yield StandIn(base, app)


@pytest.fixture
def start(site: StandIn) -> Callable[..., AbstractContextManager[str]]:
    """Return a function that runs the service with a folder for its data, and without pauses between pages."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.fail("Chromium is missing: apt-get install -y chromium")

    def run(folder: Path, **settings: Any) -> AbstractContextManager[str]:
        config = SiteSettings(
            base_url=site.base, interval_seconds=0, jitter_seconds=0, page_seconds=20, login_seconds=30, **settings
        )
        app = build_app(Settings(port=free_port(), data_dir=folder), config, BrowserSettings(chromium_path=chromium))
        return running(build_server(app))

    return run


@pytest.fixture
def service(start: Callable[..., AbstractContextManager[str]], tmp_path: Path) -> Iterator[str]:
    """Return the base URL of the running service."""
    with start(tmp_path) as base:
        yield base
