"""Stops calling a platform that has put up a wall, so that the account is not banned for trying again."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import IntEnum
from pathlib import Path

from dyber_kit.errors import ErrorCode, LocalRefusal, ServiceError
from dyber_kit.files import set_aside, write_private
from dyber_kit.observing.metrics import Metrics

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
        data_dir: Where an open breaker survives a restart; None keeps it in memory.
        metrics: Where `breaker_state` is shown.
        clock: Seconds that only grow.
        wall_clock: Seconds since 1970, which still count after a restart.
    """

    def __init__(
        self,
        name: str,
        *,
        pause_seconds: float = 600.0,
        max_pause_seconds: float = 3600.0,
        opens_on: Callable[[ServiceError], bool] = is_wall,
        data_dir: Path | None = None,
        metrics: Metrics | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._pause_seconds = pause_seconds
        self._max_pause_seconds = max_pause_seconds
        self._opens_on = opens_on
        self._clock = clock
        self._wall_clock = wall_clock
        self._cause: ServiceError | None = None
        self._until = 0.0
        self._pause = pause_seconds
        self._trying = False
        self._file = data_dir / f"breaker-{name}.json" if data_dir else None
        self._restore()
        if metrics:
            metrics.watch_breaker(name, lambda: self.state)

    @property
    def state(self) -> BreakerState:
        """What happens to the next call."""
        if self._cause is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self._clock() < self._until else BreakerState.HALF_OPEN

    @property
    def cause(self) -> ErrorCode | None:
        """Return the code of the error that opened the breaker, until a call has succeeded; None while it is closed."""
        return self._cause.code if self._cause else None

    @property
    def seconds_left(self) -> float:
        """Return how many seconds the pause still lasts; 0 if it refuses no call."""
        return max(0.0, self._until - self._clock()) if self._cause else 0.0

    def check(self) -> None:
        """Refuse while open.

        Raises:
            ServiceError: The code of the wall, saying when to come back; BUSY while another call tries.
        """
        if self._cause is None:
            return
        left = self.seconds_left
        if left > 0:
            raise _paused(LocalRefusal, self._cause, left)
        if self._trying:
            raise LocalRefusal(ErrorCode.BUSY, "正在试探平台是否恢复", "请稍等", retry_after=30)

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """Run one call to the platform; its errors decide about the next ones. Raises what `check` raises."""
        self.check()
        trial = self._cause is not None
        self._trying = trial
        try:
            yield
        except ServiceError as error:
            if not self._opens_on(error):
                raise
            self._open(error, again=trial)
            if not self.seconds_left:
                raise
            raise _paused(ServiceError, error, self.seconds_left) from error
        else:
            # A call that began before the wall went up says nothing about it.
            if trial:
                logger.info("breaker closed", extra={"breaker": self.name})
                self._cause, self._pause = None, self._pause_seconds
                self._keep()
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
        self._keep()

    def _keep(self) -> None:
        """Write the state to the data folder; a folder that cannot be written costs only the memory of it."""
        if self._file is None:
            return
        try:
            if self._cause is None:
                self._file.unlink(missing_ok=True)
                return
            kept = {
                "code": str(self._cause.code),
                "message": self._cause.message,
                "next_step": self._cause.next_step,
                "whole_account": self._cause.whole_account,
                "pause": self._pause,
                "until": self._wall_clock() + self.seconds_left,
            }
            write_private(self._file, json.dumps(kept, ensure_ascii=False).encode())
        except OSError as error:
            logger.error("breaker not kept", extra={"breaker": self.name, "reason": str(error)})

    def _restore(self) -> None:
        """Load the state that an earlier process kept; a damaged file is set aside."""
        if self._file is None:
            return
        try:
            kept = json.loads(self._file.read_bytes())
            cause = ServiceError(
                ErrorCode(kept["code"]),
                str(kept["message"]),
                str(kept["next_step"]),
                whole_account=kept["whole_account"] is True,
            )
            pause, left = float(kept["pause"]), float(kept["until"]) - self._wall_clock()
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            kept_as = None if isinstance(error, OSError) else set_aside(self._file)
            logger.error(
                "breaker's state not readable, it starts closed",
                extra={"breaker": self.name, "reason": str(error), "kept_as": str(kept_as or self._file)},
            )
            return
        # A clock that was set back must not make the pause longer than any pause can be.
        self._pause = min(max(pause, self._pause_seconds), self._max_pause_seconds)
        self._cause, self._until = cause, self._clock() + min(left, self._max_pause_seconds)
        logger.warning(
            "breaker still open",
            extra={"breaker": self.name, "code": str(cause.code), "pause_seconds": round(self.seconds_left)},
        )


def _paused(kind: type[ServiceError], cause: ServiceError, seconds: float) -> ServiceError:
    """Return the wall's error with the time after which to come back."""
    return kind(
        cause.code,
        f"{cause.message}，已暂停访问平台",
        f"{cause.next_step}；恢复之前不要重试",
        retry_after=seconds,
        whole_account=cause.whole_account,
    )
