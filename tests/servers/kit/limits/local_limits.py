"""Makes queues and breakers with a clock that a test sets."""

from __future__ import annotations

from datetime import datetime, timedelta

import anyio
import pytest
from dyber_kit import ServiceError
from dyber_kit.times import SHANGHAI
from dyber_kit.upstream.breaker import Breaker
from dyber_kit.upstream.pacing import Pacer

from tests.support.patching import replace_in_this_thread

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=SHANGHAI)


class Clock:
    """Is a clock that advances only when a test sets it or code sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch | None = None) -> None:
        self.seconds = 1000.0
        self.slept: list[float] = []
        if monkeypatch:
            replace_in_this_thread(monkeypatch, anyio, "sleep", self.sleep)

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds - 1000)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


def pacer(clock: Clock, **options) -> Pacer:
    return Pacer("site", **{"min_interval": 10, "queue_seconds": 30, "clock": clock, "now": clock.now, **options})


async def take_turn(queue: Pacer) -> None:
    async with queue.turn():
        pass


async def refusal(queue: Pacer | Breaker) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        async with queue.turn() if isinstance(queue, Pacer) else queue.guard():
            raise AssertionError("not refused")
    return caught.value


def breaker(clock: Clock, **options) -> Breaker:
    return Breaker("site", **{"pause_seconds": 600, "max_pause_seconds": 2000, "clock": clock, **options})


async def fail_with(target: Breaker | Pacer, error: Exception) -> None:
    with pytest.raises(type(error)):
        async with target.guard() if isinstance(target, Breaker) else target.turn():
            raise error
