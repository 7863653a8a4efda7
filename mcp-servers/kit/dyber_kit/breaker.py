"""Stops calling a platform that has put up a wall, so that the account is not banned for trying again."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import IntEnum

from dyber_kit.errors import ErrorCode, LocalRefusal, ServiceError
from dyber_kit.metrics import Metrics
from dyber_kit.text import duration

logger = logging.getLogger("dyber.breaker")


class BreakerState(IntEnum):
    """What a breaker does with calls; the value of the `breaker_state` metric."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


def is_wall(error: ServiceError) -> bool:
    """Whether the platform refuses this account or address, and not just one item."""
    if isinstance(error, LocalRefusal):
        return False
    if error.code in (ErrorCode.RATE_LIMITED, ErrorCode.CAPTCHA_REQUIRED):
        return True
    return error.code is ErrorCode.ACCESS_RESTRICTED and error.whole_account


class Breaker:
    """Opens on a wall, refuses calls for a pause, then lets one call through to see.

    A trial that meets a wall again opens it for twice as long, up to `max_pause_seconds`; one that succeeds closes it;
    one that fails otherwise decides nothing.

    Args:
        name: The platform, or platform and account; the `breaker` label.
        pause_seconds: How long the first pause is.
        max_pause_seconds: How long a pause may become.
        opens_on: Which errors open it.
        metrics: Where `breaker_state` is shown.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        name: str,
        *,
        pause_seconds: float = 600.0,
        max_pause_seconds: float = 3600.0,
        opens_on: Callable[[ServiceError], bool] = is_wall,
        metrics: Metrics | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._pause_seconds = pause_seconds
        self._max_pause_seconds = max_pause_seconds
        self._opens_on = opens_on
        self._clock = clock
        self._cause: ServiceError | None = None
        self._until = 0.0
        self._pause = pause_seconds
        self._trying = False
        if metrics:
            metrics.watch_breaker(name, lambda: self.state)

    @property
    def state(self) -> BreakerState:
        """What happens to the next call."""
        if self._cause is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self._clock() < self._until else BreakerState.HALF_OPEN

    def check(self) -> None:
        """Refuse while open.

        Raises:
            ServiceError: The code of the wall, saying when to come back; BUSY while another call tries.
        """
        if self._cause is None:
            return
        left = self._until - self._clock()
        if left > 0:
            raise LocalRefusal(
                self._cause.code,
                f"{self._cause.message}，已暂停访问平台，还剩 {duration(left)}",
                f"{self._cause.next_step}；请在 {duration(left)}后再来，期间不要重试",
                retry_after=left,
            )
        if self._trying:
            raise LocalRefusal(ErrorCode.BUSY, "正在试探平台是否恢复", "请等待几十秒后重试", retry_after=30)

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """Run one call to the platform; its errors decide about the next ones. Raises what `check` raises."""
        self.check()
        trial = self._cause is not None
        self._trying = trial
        try:
            yield
        except ServiceError as error:
            if self._opens_on(error):
                self._open(error, again=trial)
            raise
        else:
            # A call that began before the wall went up says nothing about it.
            if trial:
                logger.info("breaker closed", extra={"breaker": self.name})
                self._cause, self._pause = None, self._pause_seconds
        finally:
            if trial:
                self._trying = False

    def _open(self, error: ServiceError, again: bool) -> None:
        self._pause = min(self._pause * 2, self._max_pause_seconds) if again else self._pause_seconds
        if error.retry_after:
            self._pause = max(self._pause, min(error.retry_after, self._max_pause_seconds))
        self._cause, self._until = error, self._clock() + self._pause
        logger.warning(
            "breaker open", extra={"breaker": self.name, "code": str(error.code), "pause_seconds": self._pause}
        )
