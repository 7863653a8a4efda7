"""Lets calls to a platform run one at a time, with pauses between them and a maximum per day."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from datetime import date, datetime
from pathlib import Path

import anyio

from dyber_kit.errors import ErrorCode, LocalRefusal
from dyber_kit.language import tr_lazy
from dyber_kit.observing import tracing
from dyber_kit.observing.metrics import Metrics
from dyber_kit.times import SHANGHAI, next_midnight
from dyber_kit.upstream.breaker import Breaker
from dyber_kit.upstream.day_counts import DayCount
from dyber_kit.upstream.shared_limits import SharedLimits

logger = logging.getLogger("dyber.pacing")


class Pacer:
    """Queues the calls to one platform and gives them turns.

    With `shared`, the interval lies between the starts of all replicas' turns, and the day's turns are those of all
    replicas; turns of different replicas may overlap. While Redis is away, each replica waits for as many intervals as
    there are replicas, also after it started, and the day's turns are counted as DayCount says.

    Args:
        name: The platform, or platform and account; the `queue` label and part of a file name.
        min_interval: Seconds between the starts of two turns.
        jitter: Longest random time that is added to `min_interval` each time, in seconds.
        daily_cap: Turns per day (Asia/Shanghai); None for no limit.
        queue_seconds: Longest wait for a turn.
        data_dir: Folder where the day's count survives a restart; None keeps it in memory.
        breaker: Checked before and after waiting; the outcome of the turn changes its state.
        shared: The limits of all replicas of the service, or None when this process is alone.
        metrics: Where `queue_depth` and `queue_turns_today` are shown.
        now: Returns the present time, with a time zone.
        clock: A monotonic clock, in seconds.
    """

    def __init__(
        self,
        name: str,
        *,
        min_interval: float,
        jitter: float = 0.0,
        daily_cap: int | None = None,
        queue_seconds: float = 30.0,
        data_dir: Path | None = None,
        breaker: Breaker | None = None,
        shared: SharedLimits | None = None,
        metrics: Metrics | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(SHANGHAI),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.waiting = 0
        self._min_interval = min_interval
        self._jitter = jitter
        self._daily_cap = daily_cap
        self._queue_seconds = queue_seconds
        self._breaker = breaker
        self._now = now
        self._clock = clock
        self._lock = asyncio.Lock()
        self._shared = shared
        self._next_start = float("-inf")
        # Another replica may have begun a turn just before this process started.
        self._last_start = clock()
        self._count = DayCount(
            f"pacing:{name}",
            limit=daily_cap,
            file=data_dir / f"pacing-{name}.json" if data_dir else None,
            today=self._today,
            shared=shared,
            logger=logger,
            about={"queue": name},
        )
        if metrics:
            metrics.watch_queue(name, lambda: self.waiting, lambda: self.used_today)

    @property
    def used_today(self) -> int:
        """Return the number of turns taken since midnight in Shanghai."""
        return self._count.used

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and hold it.

        Raises:
            ServiceError: RATE_LIMITED when the day's turns are used up, with the time to wait; BUSY when no turn comes
                within `queue_seconds`; or the error of an open breaker.
        """
        with tracing.waiting(self.name):
            await self._take_turn()
        try:
            async with self._breaker.guard() if self._breaker else nullcontext():
                yield
        finally:
            self._lock.release()

    async def _take_turn(self) -> None:
        """Acquire the lock for a turn. Raises like `turn`, without the lock."""
        await self._check()
        deadline = self._clock() + self._queue_seconds
        self.waiting += 1
        try:
            with anyio.move_on_after(self._queue_seconds) as waited:
                await self._lock.acquire()
            if waited.cancelled_caught:
                raise self._busy(max(self._next_start - self._clock(), self._min_interval))
            try:
                await self._check()
                await self._begin_interval(deadline)
                if not await self._count.take(1):
                    raise self._used_up()
            except BaseException:
                self._lock.release()
                raise
        finally:
            self.waiting -= 1

    async def _begin_interval(self, deadline: float) -> None:
        """Wait until the interval since the last turn is over, and begin the next."""
        seconds = self._min_interval + random.uniform(0, self._jitter)
        while pause := await self._seconds_to_wait(seconds):
            if pause > deadline - self._clock():
                raise self._busy(pause)
            await anyio.sleep(pause)
            await self._check()
        self._last_start = self._clock()
        self._next_start = self._last_start + seconds

    async def _seconds_to_wait(self, seconds: float) -> float:
        """Return how long to wait before the next turn; after 0, an interval of so many seconds has begun."""
        pause = self._next_start - self._clock()
        if pause > 0 or not self._shared:
            return max(0.0, pause)
        others = await self._shared.begin_interval(self.name, seconds)
        if others is not None:
            return others
        return max(0.0, self._last_start + seconds * self._shared.replicas - self._clock())

    async def _check(self) -> None:
        if self._breaker:
            await self._breaker.refresh()
            self._breaker.check()
        if self._daily_cap is not None:
            await self._count.refresh()
            if not self._count.fits(1):
                raise self._used_up()

    def _used_up(self) -> LocalRefusal:
        now = self._now()
        return LocalRefusal(
            ErrorCode.RATE_LIMITED,
            tr_lazy("The {cap} visits of today are used up; there are new ones tomorrow", cap=self._daily_cap),
            tr_lazy("Come back tomorrow; the limit protects the account and is set by the operator"),
            retry_after=(next_midnight(now) - now).total_seconds(),
        )

    def _busy(self, seconds: float) -> LocalRefusal:
        message = tr_lazy("Requests to the platform are waiting in a queue")
        if self.waiting > 1:
            message = tr_lazy(
                "Requests to the platform are waiting in a queue, {count} of them before this one",
                count=self.waiting - 1,
            )
        return LocalRefusal(ErrorCode.BUSY, message, retry_after=seconds)

    def _today(self) -> date:
        return self._now().astimezone(SHANGHAI).date()
