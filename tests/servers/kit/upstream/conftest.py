"""Starts the stand-in of API platforms for the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn
from dyber_kit import ServiceError
from dyber_kit.upstream.api.client import ApiClient
from dyber_kit.upstream.api.requests import ApiLimits
from starlette.applications import Starlette

from tests.stand_in.platforms.api_platform import ApiState, create_platform
from tests.stand_in.running import free_port, running

MakeClient = Callable[..., ApiClient]


@dataclass(frozen=True)
class Platform:
    """Holds a running stand-in: its base URL and its application."""

    base: str
    app: Starlette

    @property
    def state(self) -> ApiState:
        return self.app.state.api


@pytest.fixture(scope="session")
def running_platform() -> Iterator[Platform]:
    app = create_platform()
    with running(uvicorn.Server(uvicorn.Config(app, port=free_port(), log_level="warning"))) as base:
        yield Platform(base, app)


@pytest.fixture
def platform(running_platform: Platform) -> Platform:
    """Return the running stand-in, which has received nothing yet."""
    running_platform.app.state.api = ApiState()
    return running_platform


def quick_limits(**limits: Any) -> ApiLimits:
    """Return limits with short pauses between attempts."""
    return ApiLimits(**{"retry_seconds": 0.001, "connect_seconds": 5.0, **limits})


@pytest.fixture
async def make_client(platform: Platform) -> AsyncIterator[MakeClient]:
    """Return a function that makes clients of the stand-in, which are closed at the end."""
    clients: list[ApiClient] = []

    def make(base: str | None = None, *, limits: ApiLimits | None = None, **options: Any) -> ApiClient:
        client = ApiClient(base or platform.base, limits=limits or quick_limits(), **options)
        clients.append(client)
        return client

    yield make
    for client in clients:
        await client.close()


@pytest.fixture
def client(make_client: MakeClient) -> ApiClient:
    return make_client()


@pytest.fixture
def refusal() -> Callable[[Any], Any]:
    """Return a function that awaits a request and returns the error that it raises."""

    async def wait(request: Any) -> ServiceError:
        with pytest.raises(ServiceError) as caught:
            await request
        return caught.value

    return wait
