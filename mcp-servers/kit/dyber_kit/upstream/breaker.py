"""Stops calls to a platform that refuses an account, so that further attempts do not get the account banned.

A wall is such a refusal: a rate limit, a captcha, or a restriction of the whole account.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any

import anyio

from dyber_kit.errors import ErrorCode, LocalRefusal, ServiceError
from dyber_kit.files import read_state, write_state
from dyber_kit.language import Text, text_from_json, tr_lazy, using_language
from dyber_kit.observing.metrics import Metrics
from dyber_kit.upstream.shared_limits import SharedLimits

logger = logging.getLogger("dyber.breaker")

_TRIAL = tr_lazy("A call is just finding out whether the platform accepts calls again")
# What replicas note in Redis when the breaker closes.
_CLOSED = "closed"
# Times of this process and of Redis that differ by less are the same.
_TOLERANCE_SECONDS = 1.0


class BreakerState(IntEnum):
    """Names the states of a breaker; their numbers are the values of the `breaker_state` metric."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


def is_wall(error: ServiceError) -> bool:
    """Return whether the platform refuses this account or address, and not just one item."""
    if isinstance(error, LocalRefusal):
        return False
    if error.code in (ErrorCode.RATE_LIMITED, ErrorCode.CAPTCHA_REQUIRED):
        return True
    return error.code is ErrorCode.ACCESS_RESTRICTED and error.whole_account


class Breaker:
    """Opens at a wall, refuses calls during a pause, and then lets one call through as a trial.

    When the trial meets a wall too, the breaker opens for twice as long, up to `max_pause_seconds`; when it succeeds,
    the breaker closes; any other failure changes nothing.

    With `shared`, all replicas pause at a wall that one of them meets, and only one of them makes the trial. Of two
    pauses the longer holds: a pause that Redis lost, or missed while it was away, is told to it again. While Redis is
    away, a replica keeps to the pauses that it knows or that `data_dir` has, and makes its own trial.

    Args:
        name: The platform, or platform and account; the `breaker` label.
        pause_seconds: Length of the first pause.
        max_pause_seconds: Longest pause.
        opens_on: Returns whether an error opens the breaker.
        data_dir: Folder where the state survives a restart; None keeps it in memory.
        shared: The limits of all replicas of the service, or None when this process is alone.
        metrics: Where `breaker_state` and `captcha_pause` are shown.
        clock: A monotonic clock, in seconds.
        wall_clock: Seconds since 1970, which stay comparable across a restart.
    """

    def __init__(
        self,
        name: str,
        *,
        pause_seconds: float = 600.0,
        max_pause_seconds: float = 3600.0,
        opens_on: Callable[[ServiceError], bool] = is_wall,
        data_dir: Path | None = None,
        shared: SharedLimits | None = None,
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
        self._trial_running = False
        self._shared = shared
        self._key = f"breaker:{name}"
        #: Whether Redis was away when the breaker opened, and does not know of it.
        self._untold = False
        self._file = data_dir / f"breaker-{name}.json" if data_dir else None
        self._restore()
        if metrics:
            metrics.watch_breaker(name, lambda: self.state)
            metrics.watch_captcha(name, lambda: float(self.cause is ErrorCode.CAPTCHA_REQUIRED))

    @property
    def state(self) -> BreakerState:
        """Return the state that decides about the next call."""
        if self._cause is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self._clock() < self._until else BreakerState.HALF_OPEN

    @property
    def cause(self) -> ErrorCode | None:
        """Return the code of the error that opened the breaker, until a call has succeeded; None while it is closed."""
        return self._cause.code if self._cause else None

    @property
    def seconds_left(self) -> float:
        """Return how many seconds the pause still lasts; 0 without a pause."""
        return max(0.0, self._until - self._clock()) if self._cause else 0.0

    async def refresh(self) -> None:
        """Learn whether another replica opened or closed the breaker, and tell Redis of a pause that it does not know.

        Without shared limits, nothing is to be learnt.
        """
        if not self._shared:
            return
        if self._untold:
            await self._tell()
        known = await self._shared.pause(self._key)
        if self._cause is None and (known is None or known.last is None):
            self._restore()
        if known is None:
            return
        if self.seconds_left > known.seconds + _TOLERANCE_SECONDS:
            await self._tell()
        elif known.running is not None:
            self._adopt(known.running, known.seconds)
        elif not self.seconds_left and not self._trial_running:
            if known.last == _CLOSED:
                self._close()
            elif known.last is not None:
                self._adopt(known.last, 0.0)

    def check(self) -> None:
        """Raise an error while the breaker is open, as far as is known here.

        Raises:
            ServiceError: The error of the wall with the time to wait; BUSY while another call is the trial.
        """
        if self._cause is None:
            return
        left = self.seconds_left
        if left > 0:
            raise _paused(LocalRefusal, self._cause, left)
        if self._trial_running:
            raise _trying()

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """Run one call to the platform and change the state by its outcome. Raises like `check`."""
        await self.refresh()
        self.check()
        trial = self._cause is not None
        self._trial_running = trial
        try:
            if trial and self._shared:
                if await self._shared.begin_trial(self._key, self._shared.call_seconds) is False:
                    raise _trying()
                # The trial of another replica may have failed in the meantime.
                await self.refresh()
                if self._cause and self.seconds_left:
                    raise _paused(LocalRefusal, self._cause, self.seconds_left)
            yield
        except ServiceError as error:
            if not self._opens_on(error):
                raise
            self._open(error, again=trial)
            await self._tell()
            if not self.seconds_left:
                raise
            raise _paused(ServiceError, error, self.seconds_left) from error
        else:
            # The success of a call that began before the breaker opened does not show that the wall is gone.
            if trial:
                self._close()
        finally:
            if trial:
                await self._end_trial()

    async def _end_trial(self) -> None:
        try:
            if self._shared:
                with anyio.CancelScope(shield=True):
                    await self._shared.end_trial(self._key, _CLOSED if self._cause is None else None)
        finally:
            self._trial_running = False

    def _open(self, error: ServiceError, again: bool) -> None:
        self._pause = min(self._pause * 2, self._max_pause_seconds) if again else self._pause_seconds
        if error.retry_after:
            self._pause = max(self._pause, min(error.retry_after, self._max_pause_seconds))
        self._cause, self._until = error, self._clock() + self._pause
        logger.warning(
            "breaker open", extra={"breaker": self.name, "code": str(error.code), "pause_seconds": self._pause}
        )
        self._store()

    def _close(self) -> None:
        if self._cause is None:
            return
        logger.info("breaker closed", extra={"breaker": self.name})
        self._cause, self._pause, self._untold = None, self._pause_seconds, False
        self._store()

    async def _tell(self) -> None:
        """Tell the other replicas that the breaker is open."""
        if self._shared and self._cause:
            told = await self._shared.extend_pause(self._key, self.seconds_left, json.dumps(self._content()))
            self._untold = told is None

    def _adopt(self, note: str, seconds: float) -> None:
        """Open the breaker for so many seconds as another replica did, unless the same is known here."""
        try:
            cause, pause, _ = _parsed(json.loads(note))
        except (ValueError, KeyError, TypeError) as error:
            logger.error("breaker's state in redis not readable", extra={"breaker": self.name, "reason": str(error)})
            return
        if self._cause is not None and abs(self.seconds_left - seconds) <= _TOLERANCE_SECONDS:
            self._pause = min(max(pause, self._pause), self._max_pause_seconds)
            return
        self._pause = min(max(pause, self._pause_seconds), self._max_pause_seconds)
        self._cause, self._until = cause, self._clock() + min(seconds, self._max_pause_seconds)
        logger.warning(
            "breaker open in another replica",
            extra={"breaker": self.name, "code": str(cause.code), "pause_seconds": round(seconds)},
        )
        self._store()

    def _store(self) -> None:
        """Write the state to the data folder; when that fails, the state is only lost at a restart."""
        if self._file is None:
            return
        problem = "breaker not kept"
        if self._cause is None:
            try:
                self._file.unlink(missing_ok=True)
            except OSError as error:
                logger.error(problem, extra={"breaker": self.name, "reason": str(error)})
            return
        write_state(self._file, self._content(), logger, problem, breaker=self.name)

    def _content(self) -> dict[str, Any]:
        """Return the state of an open breaker for another process."""
        assert self._cause
        # Earlier versions, to which an operator may go back, show the plain texts; they knew only Chinese.
        with using_language("zh"):
            message, next_step = self._cause.message, self._cause.next_step
        return {
            "code": str(self._cause.code),
            "message": message,
            "next_step": next_step,
            "texts": {
                "message": _as_json(self._cause.lazy_message),
                "next_step": _as_json(self._cause.lazy_next_step),
            },
            "whole_account": self._cause.whole_account,
            "pause": self._pause,
            "until": self._wall_clock() + self.seconds_left,
        }

    def _restore(self) -> None:
        """Load the state that an earlier process stored; a damaged file is renamed."""
        if self._file is None:
            return
        problem = "breaker's state not readable, it starts closed"
        state = read_state(self._file, _parsed, logger, problem, breaker=self.name)
        if state is None:
            return
        cause, pause, until = state
        left = until - self._wall_clock()
        # When the clock was set back, the pause must not exceed the longest pause.
        self._pause = min(max(pause, self._pause_seconds), self._max_pause_seconds)
        self._cause, self._until = cause, self._clock() + min(left, self._max_pause_seconds)
        logger.warning(
            "breaker still open",
            extra={"breaker": self.name, "code": str(cause.code), "pause_seconds": round(self.seconds_left)},
        )


def _parsed(state: Any) -> tuple[ServiceError, float, float]:
    """Return the error that opened the breaker, the pause, and until when it lasts by the wall clock."""
    code = ErrorCode(state["code"])
    # Earlier versions stored plain texts only.
    texts = state.get("texts", state)
    cause = ServiceError(
        code,
        text_from_json(texts["message"]),
        text_from_json(texts["next_step"]),
        whole_account=state["whole_account"] is True,
    )
    return cause, float(state["pause"]), float(state["until"])


def _as_json(text: Text | str) -> Any:
    return text.to_json() if isinstance(text, Text) else text


def _trying() -> LocalRefusal:
    return LocalRefusal(ErrorCode.BUSY, _TRIAL, tr_lazy("Wait a moment"), retry_after=30)


def _paused(kind: type[ServiceError], cause: ServiceError, seconds: float) -> ServiceError:
    """Return the error of a wall with the time to wait."""
    return kind(
        cause.code,
        tr_lazy("{cause}; access to the platform is paused", cause=cause.lazy_message),
        tr_lazy("{next_step}; do not try again until the pause is over", next_step=cause.lazy_next_step),
        retry_after=seconds,
        whole_account=cause.whole_account,
    )
