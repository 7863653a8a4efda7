"""Counts what requests cost of a platform's daily quota, and refuses requests once the quota is used up."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta, tzinfo
from pathlib import Path

from pydantic import BaseModel, Field

from dyber_kit.errors import ErrorCode, LocalRefusal
from dyber_kit.language import Text, tr_lazy
from dyber_kit.observing.metrics import Metrics
from dyber_kit.times import SHANGHAI, next_midnight
from dyber_kit.upstream.day_counts import DayCount
from dyber_kit.upstream.shared_limits import SharedLimits

logger = logging.getLogger("dyber.quotas")

_PLATFORM = tr_lazy("the platform")
# Times of this process and of Redis that differ by less are the same.
_TOLERANCE_SECONDS = 1.0


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
        shared: The limits of all replicas of the service, which then share the quota; None when this process is alone.
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
        shared: SharedLimits | None = None,
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
        self._shared = shared
        self._key = f"quota:{name}"
        # The platform may refuse longer than until midnight, or sooner than this count expects.
        self._count = DayCount(
            self._key,
            limit=per_day,
            file=data_dir / f"quota-{name}.json" if data_dir else None,
            today=self._today,
            shared=shared,
            logger=logger,
            about={"quota": name},
        )
        if metrics:
            metrics.watch_quota(name, lambda: self.used_today, lambda: self.per_day)

    @property
    def used_today(self) -> int:
        """Return the sum of costs since midnight in the quota's time zone."""
        return self._count.used

    @property
    def resets_at(self) -> datetime:
        """Return the time at which the whole quota is available again."""
        midnight = next_midnight(self._now(), self._zone)
        until = self._count.refused_until
        return max(midnight, until) if until and until > self._now() else midnight

    @property
    def seconds_to_reset(self) -> float:
        """Return the seconds until the whole quota is available again."""
        return (self.resets_at - self._now()).total_seconds()

    @property
    def status(self) -> QuotaStatus:
        """Return the numbers of this quota as they are known here, for a tool that reports them."""
        left = 0 if self._is_refused() else max(0, self.per_day - self.used_today)
        return QuotaStatus(
            name=self.name, per_day=self.per_day, used=self.used_today, left=left, resets_at=self.resets_at
        )

    async def refresh(self) -> None:
        """Learn what the other replicas used, before `status` or `check`."""
        await self._count.refresh()
        pause = await self._shared.pause(self._key) if self._shared else None
        if self._shared is None or pause is None:
            return
        until, now = self._count.refused_until, self._now()
        left = max(0.0, (until - now).total_seconds()) if until else 0.0
        if pause.seconds > left + _TOLERANCE_SECONDS:
            self._count.refuse_until(now + timedelta(seconds=pause.seconds))
        elif left > pause.seconds + _TOLERANCE_SECONDS:
            await self._shared.extend_pause(self._key, left, "refused")

    def check(self, cost: int = 1) -> None:
        """Raise an error when a request of this cost would exceed the quota, by what is known here.

        Raises:
            ServiceError: QUOTA_EXHAUSTED with the time until the reset.
        """
        until, now = self._count.refused_until, self._now()
        if until is not None and now < until:
            wait = (until - now).total_seconds()
            raise LocalRefusal(
                ErrorCode.QUOTA_EXHAUSTED,
                tr_lazy("The quota of {title} is used up", title=self.title),
                retry_after=wait,
            )
        if not self._count.fits(cost):
            raise self._exceeded(cost)

    async def spend(self, cost: int = 1) -> None:
        """Count a request that is about to be sent. Raises like `check`, and then counts nothing."""
        await self.refresh()
        self.check(cost)
        if not await self._count.take(cost):
            raise self._exceeded(cost)

    async def add(self, cost: int) -> None:
        """Count a cost that is known only after the request, or give back a negative one; never refuses."""
        if cost:
            await self._count.add(cost)

    async def refuse_until_reset(self, seconds: float | None = None) -> float:
        """Refuse further requests, because the platform said that the quota is used up; return for how many seconds.

        Args:
            seconds: When the platform accepts requests again, if it told; by default at the next midnight.
        """
        wait = self.seconds_to_reset if seconds is None else max(0.0, seconds)
        logger.warning("quota used up", extra={"quota": self.name, "counted": self.used_today, "seconds": round(wait)})
        self._count.refuse_until(self._now() + timedelta(seconds=wait))
        if self._shared and wait:
            await self._shared.extend_pause(self._key, wait, "refused")
        return wait

    def _exceeded(self, cost: int) -> LocalRefusal:
        left = max(0, self.per_day - self.used_today)
        return LocalRefusal(
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

    def _is_refused(self) -> bool:
        until = self._count.refused_until
        return until is not None and self._now() < until

    def _today(self) -> date:
        return self._now().astimezone(self._zone).date()
