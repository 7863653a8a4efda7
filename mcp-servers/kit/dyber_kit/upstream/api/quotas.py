"""Counts what requests cost of a platform's daily quota, and refuses requests once the quota is used up."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from dyber_kit.errors import ErrorCode, LocalRefusal
from dyber_kit.files import read_state, write_state
from dyber_kit.language import Text, tr_lazy
from dyber_kit.observing.metrics import Metrics
from dyber_kit.times import SHANGHAI, next_midnight

logger = logging.getLogger("dyber.quotas")

_PLATFORM = tr_lazy("the platform")


class QuotaStatus(BaseModel):
    """How much of a daily quota is used."""

    name: str
    per_day: int
    used: int
    left: int
    resets_at: datetime = Field(description="When the whole quota is available again")


class Quota:
    """Counts the cost of requests since midnight and refuses those that would exceed the quota.

    Costs are counted before a request is sent, so that concurrent requests together stay within the quota, and a crash
    between sending and counting cannot hide a cost.

    Args:
        name: What the quota is for, such as `zhihu-hot-list`; the `quota` label and part of a file name.
        per_day: Largest sum of costs per day.
        title: What the quota is for, for messages.
        data_dir: Folder where the count survives a restart; None keeps it in memory.
        zone: The time zone whose midnight resets the quota.
        unchanged_is_free: Whether the platform does not count answers with status 304.
        metrics: Where `quota_used_today` and `quota_per_day` are shown.
        now: Returns the present time, with a time zone.

    Raises:
        ValueError: `name` cannot be part of a file name, or `per_day` is negative.
    """

    def __init__(
        self,
        name: str,
        *,
        per_day: int,
        title: Text | str = _PLATFORM,
        data_dir: Path | None = None,
        zone: tzinfo = SHANGHAI,
        unchanged_is_free: bool = False,
        metrics: Metrics | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(SHANGHAI),
    ) -> None:
        if not re.fullmatch(r"\w[\w.-]*", name) or per_day < 0:
            raise ValueError(f"quota {name!r} needs a name of letters, digits, dots and hyphens, and a positive size")
        self.name = name
        self.per_day = per_day
        self.title = title
        self.unchanged_is_free = unchanged_is_free
        self._zone = zone
        self._now = now
        self._file = data_dir / f"quota-{name}.json" if data_dir else None
        self._day: date = self._today()
        self._used = 0
        # The platform may refuse longer than until midnight, or sooner than this count expects.
        self._refused_until: datetime | None = None
        self._restore()
        if metrics:
            metrics.watch_quota(name, lambda: self.used_today, lambda: self.per_day)

    @property
    def used_today(self) -> int:
        """Return the sum of costs since midnight in the quota's time zone."""
        return self._used if self._day == self._today() else 0

    @property
    def resets_at(self) -> datetime:
        """Return the time at which the whole quota is available again."""
        midnight = next_midnight(self._now(), self._zone)
        until = self._refused_until
        return max(midnight, until) if until and until > self._now() else midnight

    @property
    def seconds_to_reset(self) -> float:
        """Return the seconds until the whole quota is available again."""
        return (self.resets_at - self._now()).total_seconds()

    @property
    def status(self) -> QuotaStatus:
        """Return the numbers of this quota, for a tool that reports them."""
        left = 0 if self._is_refused() else max(0, self.per_day - self.used_today)
        return QuotaStatus(
            name=self.name, per_day=self.per_day, used=self.used_today, left=left, resets_at=self.resets_at
        )

    def check(self, cost: int = 1) -> None:
        """Raise an error when a request of this cost would exceed the quota.

        Raises:
            ServiceError: QUOTA_EXHAUSTED with the time until the reset.
        """
        now = self._now()
        if self._refused_until is not None and now < self._refused_until:
            wait = (self._refused_until - now).total_seconds()
            raise LocalRefusal(
                ErrorCode.QUOTA_EXHAUSTED,
                tr_lazy("The quota of {title} is used up", title=self.title),
                retry_after=wait,
            )
        left = max(0, self.per_day - self.used_today)
        if cost > left:
            raise LocalRefusal(
                ErrorCode.QUOTA_EXHAUSTED,
                tr_lazy(
                    "Of today's quota of {title}, {left} of {total} are left, and this request needs {cost}",
                    title=self.title,
                    left=left,
                    total=self.per_day,
                    cost=cost,
                ),
                retry_after=self.seconds_to_reset,
            )

    def spend(self, cost: int = 1) -> None:
        """Count a request that is about to be sent. Raises like `check`, and then counts nothing."""
        self.check(cost)
        self.add(cost)

    def add(self, cost: int) -> None:
        """Count a cost that is known only after the request, or give back a negative one; never refuses."""
        if cost:
            self._day, self._used = self._today(), max(0, self.used_today + cost)
            self._store()

    def refuse_until_reset(self, seconds: float | None = None) -> float:
        """Refuse further requests, because the platform said that the quota is used up; return for how many seconds.

        Args:
            seconds: When the platform accepts requests again, if it told; by default at the next midnight.
        """
        wait = self.seconds_to_reset if seconds is None else max(0.0, seconds)
        self._refused_until = self._now() + timedelta(seconds=wait)
        logger.warning("quota used up", extra={"quota": self.name, "counted": self.used_today, "seconds": round(wait)})
        self._store()
        return wait

    def _is_refused(self) -> bool:
        return self._refused_until is not None and self._now() < self._refused_until

    def _today(self) -> date:
        return self._now().astimezone(self._zone).date()

    def _store(self) -> None:
        if self._file is None:
            return
        until = self._refused_until.isoformat() if self._refused_until else None
        state = {"day": self._day.isoformat(), "used": self._used, "refused_until": until}
        write_state(self._file, state, logger, "quota's count not kept", quota=self.name)

    def _restore(self) -> None:
        """Load the count that an earlier process stored; a damaged file is renamed."""
        if self._file is None:
            return
        problem = "quota's count not readable, counting starts anew"
        state = read_state(self._file, _parsed, logger, problem, quota=self.name)
        if state is not None:
            self._day, self._used, self._refused_until = state


def _parsed(state: Any) -> tuple[date, int, datetime | None]:
    until = datetime.fromisoformat(state["refused_until"]) if state["refused_until"] else None
    if until is not None and until.tzinfo is None:
        raise ValueError("the time has no time zone")
    return date.fromisoformat(state["day"]), int(state["used"]), until
