"""Runs the Redis through which replicas share their limits, and makes the queues and breakers of replicas."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pytest
import redis
from dyber_kit import ErrorCode, ServiceError
from dyber_kit.errors import LocalRefusal
from dyber_kit.times import SHANGHAI
from dyber_kit.upstream.breaker import Breaker
from dyber_kit.upstream.pacing import Pacer
from dyber_kit.upstream.shared_limits import SharedLimits

from infra.parts.cache import service_rules, service_user
from tests.stand_in.redis_server import redis_server
from tests.stand_in.running import free_port

PASSWORD = "password-of-the-service"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=SHANGHAI)
WALL = ServiceError(ErrorCode.CAPTCHA_REQUIRED, "要验证", "去验证")


class RedisUnderTest:
    """Is a Redis that tests stop and start; what it knew is lost with it."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._running = ExitStack()

    def start(self) -> None:
        user = " ".join([service_user("shared"), "on", f">{PASSWORD}", *service_rules("shared")])
        self._running.enter_context(redis_server(self._folder, self.port, "of-people", [user]))

    def stop(self) -> None:
        self._running.close()

    def lose_everything(self) -> None:
        with redis.Redis(port=self.port, password="of-people") as people:
            people.flushall()

    def environment(self, replicas: int = 2) -> dict[str, str]:
        return {
            "DYBER_REDIS_HOST": "127.0.0.1",
            "DYBER_REDIS_PORT": str(self.port),
            "DYBER_REDIS_USER": service_user("shared"),
            "DYBER_REDIS_PASSWORD": PASSWORD,
            "DYBER_REPLICAS": str(replicas),
        }


class Away:
    """Stops a Redis, and starts it again empty at the end."""

    def __init__(self, store: RedisUnderTest) -> None:
        self._store = store

    def __enter__(self) -> None:
        self._store.stop()

    def __exit__(self, *_: object) -> None:
        self._store.start()


def pacer(shared: SharedLimits | None, **options) -> Pacer:
    return Pacer("site", **{"min_interval": 0, "now": lambda: NOON, "shared": shared, **options})


async def take_turns(queue: Pacer, count: int = 1) -> int:
    """Try to take turns one after the other, and return how many were given."""
    given = 0
    for _ in range(count):
        try:
            async with queue.turn():
                given += 1
        except ServiceError as error:
            assert error.code is ErrorCode.RATE_LIMITED
    return given


async def refusal(queue: Pacer | Breaker) -> LocalRefusal:
    with pytest.raises(LocalRefusal) as caught:
        async with queue.turn() if isinstance(queue, Pacer) else queue.guard():
            raise AssertionError("not refused")
    return caught.value


async def meet_wall(breaker: Breaker, wall: ServiceError = WALL) -> None:
    with pytest.raises(ServiceError):
        async with breaker.guard():
            raise wall
