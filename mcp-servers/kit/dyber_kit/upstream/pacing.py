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
from typing import Any

import anyio

from dyber_kit.errors import ErrorCode, LocalRefusal
from dyber_kit.files import read_state, write_state
from dyber_kit.language import tr_lazy
from dyber_kit.observing.metrics import Metrics
from dyber_kit.times import SHANGHAI, next_midnight
from dyber_kit.upstream.breaker import Breaker

logger = logging.getLogger("dyber.pacing")


class Pacer:
    """Queues the calls to one platform and gives them turns.

    Args:
        name: The platform, or platform and account; the `queue` label and part of a file name.
        min_interval: Seconds between the starts of two turns.
        jitter: Longest random time that is added to `min_interval` each time, in seconds.
        daily_cap: Turns per day (Asia/Shanghai); None for no limit.
        queue_seconds: Longest wait for a turn.
        data_dir: Folder where the day's count survives a restart; None keeps it in memory.
        breaker: Checked before and after waiting; the outcome of the turn changes its state.
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
        self._next_start = float("-inf")
        self._file = data_dir / f"pacing-{name}.json" if data_dir else None
        self._day, self._used = self._read()
        if metrics:
            metrics.watch_queue(name, lambda: self.waiting, lambda: self.used_today)

    @property
    def used_today(self) -> int:
        """Return the number of turns taken since midnight in Shanghai."""
        return self._used if self._day == self._today() else 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and hold it.

        Raises:
            ServiceError: RATE_LIMITED when the day's turns are used up, with the time to wait; BUSY when no turn comes
                within `queue_seconds`; or the error of an open breaker.
        """
        self._check()
        deadline = self._clock() + self._queue_seconds
        self.waiting += 1
        try:
            with anyio.move_on_after(self._queue_seconds) as waited:
                await self._lock.acquire()
            if waited.cancelled_caught:
                raise self._busy(max(self._next_start - self._clock(), self._min_interval))
        except BaseException:
            self.waiting -= 1
            raise
        try:
            try:
                self._check()
                pause = self._next_start - self._clock()
                if pause > deadline - self._clock():
                    raise self._busy(pause)
                if pause > 0:
                    await anyio.sleep(pause)
                    self._check()
            finally:
                self.waiting -= 1
            self._next_start = self._clock() + self._min_interval + random.uniform(0, self._jitter)
            self._count()
            async with self._breaker.guard() if self._breaker else nullcontext():
                yield
        finally:
            self._lock.release()

    def _check(self) -> None:
        if self._breaker:
            self._breaker.check()
        if self._daily_cap is not None and self.used_today >= self._daily_cap:
            now = self._now()
            raise LocalRefusal(
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

    def _count(self) -> None:
        self._day, self._used = self._today(), self.used_today + 1
        if self._file is not None:
            state = {"day": self._day.isoformat(), "used": self._used}
            write_state(self._file, state, logger, "daily count not kept", queue=self.name)

    def _read(self) -> tuple[date | None, int]:
        if self._file is None:
            return None, 0
        problem = "daily count not readable, counting starts anew"
        return read_state(self._file, _parsed, logger, problem, queue=self.name) or (None, 0)


def _parsed(state: Any) -> tuple[date, int]:
    return date.fromisoformat(state["day"]), int(state["used"])
