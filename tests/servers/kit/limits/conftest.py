"""Gives a clock that a test sets, and the limits of replicas that share them through a real Redis.

The replicas use Redis as the user that a deployed service has, with no more permissions.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack

import pytest
from dyber_kit.upstream import redis_connection
from dyber_kit.upstream.shared_limits import SharedLimits

from tests.servers.kit.limits.local_limits import Clock
from tests.servers.kit.limits.replicas import RedisUnderTest


@pytest.fixture
def clock(monkeypatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[RedisUnderTest]:
    made = RedisUnderTest(tmp_path_factory.mktemp("redis"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def store(server, monkeypatch) -> Iterator[RedisUnderTest]:
    """Return an empty Redis, which replicas ask again at once after a failure."""
    monkeypatch.setattr(redis_connection, "_REDIS_PAUSE_SECONDS", 0)
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    server.lose_everything()
    yield server


@pytest.fixture
async def replica(store) -> AsyncIterator[Callable[[], SharedLimits]]:
    """Return a function that makes the limits of a further replica."""
    async with AsyncExitStack() as running:

        def make() -> SharedLimits:
            shared = SharedLimits.from_environment("shared")
            assert shared
            running.push_async_callback(shared.close)
            return shared

        yield make
