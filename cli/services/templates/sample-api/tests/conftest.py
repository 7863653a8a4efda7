"""Starts the stand-in of the platform's API, clients of it, and the whole service on top of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack

import pytest
import uvicorn
from dyber_kit import Metrics, Settings
from dyber_kit.serving.server import build_server
from dyber_kit.upstream.cache import Cache

from tests.stand_in.running import free_port, running

import sample_api_stand_in
from sample_api_server.config import ApiSettings
from sample_api_server.platform import Platform
from sample_api_server.service import NAME, VERSION, build_app

MakePlatform = Callable[..., Awaitable[Platform]]


@pytest.fixture(scope="session")
def upstream() -> Iterator[str]:
    """Return the base URL of the stand-in."""
    config = uvicorn.Config(sample_api_stand_in.app, port=free_port(), log_level="warning")
    with running(uvicorn.Server(config)) as base:
        yield base


@pytest.fixture(scope="session")
def api(upstream: str) -> ApiSettings:
    """Return settings with the stand-in's address and its token."""
    return ApiSettings(base_url=f"{upstream}/ok", token=sample_api_stand_in.TOKEN)


@pytest.fixture
async def make_platform() -> AsyncIterator[MakePlatform]:
    """Return a function that makes platforms with an empty cache, whose connections are closed at the end."""
    async with AsyncExitStack() as stack:

        async def make(api: ApiSettings, settings: Settings | None = None) -> Platform:
            metrics = Metrics(NAME)
            platform = Platform(api, settings or Settings(), Cache(NAME, VERSION, metrics=metrics), metrics)
            await stack.enter_async_context(platform.running())
            return platform

        yield make


@pytest.fixture(scope="session")
def service(api: ApiSettings) -> Iterator[str]:
    """Return the base URL of the running service."""
    with running(build_server(build_app(Settings(port=free_port()), api))) as base:
        yield base
