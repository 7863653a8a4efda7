"""Starts the stand-in of the upstream, readers of its feed, and the whole service on top of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import uvicorn
from dyber_kit import Metrics, Settings
from dyber_kit.serving.server import build_server
from dyber_kit.upstream.cache import Cache

from tests.stand_in.running import free_port, running

import template_stand_in
from template_server.config import FeedSettings
from template_server.feed import FeedReader
from template_server.service import NAME, VERSION, build_app


@pytest.fixture(scope="session")
def upstream() -> Iterator[str]:
    """Return the base URL of the stand-in."""
    config = uvicorn.Config(template_stand_in.app, port=free_port(), log_level="warning")
    with running(uvicorn.Server(config)) as base:
        yield base


@pytest.fixture
def reader(upstream: str) -> Callable[..., FeedReader]:
    """Return a function that makes a reader, with an empty cache, of the stand-in's feed for a case."""

    def make(case: str = "ok", settings: Settings | None = None) -> FeedReader:
        metrics = Metrics(NAME)
        feed = FeedSettings(url=f"{upstream}/{case}/feed.json", min_interval=0)
        return FeedReader(feed, settings or Settings(), Cache(NAME, VERSION, metrics=metrics), metrics)

    return make


@pytest.fixture(scope="session")
def service(upstream: str) -> Iterator[str]:
    """Return the base URL of the running service."""
    app = build_app(Settings(port=free_port()), FeedSettings(url=f"{upstream}/ok/feed.json", min_interval=0))
    with running(build_server(app)) as base:
        yield base
