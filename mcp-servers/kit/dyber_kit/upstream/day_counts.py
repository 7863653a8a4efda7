"""Counts what is used of a daily limit: in this process, and in all replicas when they share limits."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from dyber_kit.files import read_state, write_state
from dyber_kit.upstream.shared_limits import SharedLimits

_RETURNED = "-"


@dataclass
class DayState:
    """Holds the use of a day.

    Attributes:
        day: The day.
        counts: By process, what it used; under its name and `-`, what it gave back. Both only grow, so that the larger
            of two values is always the newer.
        refused_until: Until when the platform refuses more, if it said so.
    """

    day: date
    counts: dict[str, int] = field(default_factory=dict)
    refused_until: datetime | None = None

    @property
    def used(self) -> int:
        """Return the use of all processes."""
        returned = sum(count for name, count in self.counts.items() if name.endswith(_RETURNED))
        return max(0, sum(self.counts.values()) - 2 * returned)


class DayCount:
    """Counts the use of a daily limit, and keeps it across a restart.

    With shared limits, Redis adds the uses of all replicas. Each use is written to the file first, and with it all that
    memory and file know is told to Redis, so that a Redis that was away or lost its data learns it again. While Redis
    is away, the replicas keep to the limit by the file: it is on the volume that they share, and locked while it is
    changed. Without a file, each process then knows only its own uses and those that Redis told before.

    Args:
        name: The limit; part of the key in Redis.
        limit: Most use per day; None for no limit.
        file: The file for other and later processes, or None.
        today: Returns the present day in the limit's time zone.
        shared: The limits of all replicas, or None when this process is alone.
        logger: Where a file that cannot be written or read is logged.
        about: The fields of these log lines.
    """

    def __init__(
        self,
        name: str,
        *,
        limit: int | None,
        file: Path | None,
        today: Callable[[], date],
        shared: SharedLimits | None,
        logger: logging.Logger,
        about: Mapping[str, str],
    ) -> None:
        self._name = name
        self._limit = limit
        self._file = file
        self._today = today
        self._shared = shared
        self._logger = logger
        self._about = about
        self._lock = asyncio.Lock()
        self._process = shared.process if shared else "this"
        self._state = self._read() or DayState(today())

    @property
    def used(self) -> int:
        """Return the day's use that is known here."""
        return self._current().used

    @property
    def refused_until(self) -> datetime | None:
        """Return until when the platform refuses more, if it said so."""
        return self._state.refused_until

    def fits(self, amount: int) -> bool:
        """Return whether an amount is left by what is known here."""
        return self._limit is None or self.used + amount <= self._limit

    async def refresh(self) -> None:
        """Learn what the other replicas used, and tell them what is known here."""
        async with self._lock:
            await self._exchange()

    async def take(self, amount: int) -> bool:
        """Use an amount, and return True; return False when it is more than is left."""
        async with self._lock:
            await self._exchange()
            with self._changing():
                if not self.fits(amount):
                    return False
                self._add(amount)
            await self._exchange()
            if self.fits(0):
                return True
            # Another replica used the rest in the meantime.
            with self._changing():
                self._add(-amount)
            await self._exchange()
            return False

    async def add(self, amount: int) -> None:
        """Count a use that cannot be refused any more, or give back a negative amount."""
        async with self._lock:
            with self._changing():
                self._add(amount)
            await self._exchange()

    def refuse_until(self, time: datetime) -> None:
        """Keep until when the platform refuses more."""
        with self._changing():
            self._current().refused_until = time

    def _add(self, amount: int) -> None:
        counts = self._current().counts
        used, returned = self._process, self._process + _RETURNED
        if amount >= 0:
            counts[used] = counts.get(used, 0) + amount
        else:
            counts[returned] = min(counts.get(returned, 0) - amount, counts.get(used, 0))

    async def _exchange(self) -> None:
        """Tell Redis the counts that are known here, and learn those of the other replicas."""
        if not self._shared:
            return
        state = self._current()
        answer = await self._shared.merge_counts(self._name, state.day, dict(state.counts))
        if answer:
            self._learn(DayState(state.day, answer))

    def _learn(self, other: DayState | None) -> None:
        state = self._current()
        if other is None:
            return
        if other.day == state.day:
            for name, count in other.counts.items():
                state.counts[name] = max(count, state.counts.get(name, 0))
        times = [time for time in (state.refused_until, other.refused_until) if time]
        state.refused_until = max(times, default=None)

    def _current(self) -> DayState:
        if self._state.day != self._today():
            self._state = DayState(self._today(), refused_until=self._state.refused_until)
        return self._state

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Let the state change while no other replica changes the file, and write the file."""
        if self._file is None:
            yield
            return
        if not self._shared:
            yield
            self._write(self._file)
            return
        with _locked(self._file):
            self._learn(self._read())
            yield
            self._write(self._file)

    def _read(self) -> DayState | None:
        if self._file is None:
            return None
        problem = "daily count not readable, counting starts anew"
        return read_state(self._file, self._parsed, self._logger, problem, **self._about)

    def _parsed(self, content: Any) -> DayState:
        day, used = date.fromisoformat(content["day"]), int(content["used"])
        # A process without shared limits writes no counts.
        counts = {str(name): int(count) for name, count in dict(content.get("counts", {"earlier": used})).items()}
        until = datetime.fromisoformat(content["refused_until"]) if content.get("refused_until") else None
        if until is not None and until.tzinfo is None:
            raise ValueError("the time has no time zone")
        return DayState(day, counts, until)

    def _write(self, file: Path) -> None:
        state = self._current()
        until = state.refused_until.isoformat() if state.refused_until else None
        # Earlier versions, to which an operator may go back, need `refused_until` even when it is null.
        content: dict[str, Any] = {"day": state.day.isoformat(), "used": state.used, "refused_until": until}
        if self._shared:
            content["counts"] = state.counts
        write_state(file, content, self._logger, "daily count not kept", **self._about)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold the lock of a file that several processes change.

    There is no lock when the volume cannot be written, nor on Windows, where replicas can overwrite each other's
    counts in the file while Redis is away.
    """
    try:
        import fcntl  # Windows does not have it.
    except ImportError:
        yield
        return
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(file.with_name(f".{file.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
