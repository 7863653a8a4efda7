"""Counts the calls of the last day in memory, so that pages need not read them all."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from dyber_console.records.calls import Summary
from dyber_console.records.model import Result, half_hour
from dyber_console.records.store import Store
from dyber_console.records.usage import DAY, Usage

_BAD = (Result.FAILED, Result.REFUSED)


@dataclass
class _Counts:
    """Counts calls of one half hour: by result, and by bucket of durations."""

    results: Counter[Result] = field(default_factory=Counter)
    durations: Counter[int] = field(default_factory=Counter)

    @property
    def bad(self) -> int:
        """Return the number of calls that failed or were refused."""
        return sum(self.results[result] for result in _BAD)

    def add(self, result: Result, bucket: int, count: int) -> None:
        """Count calls."""
        self.results[result] += count
        self.durations[bucket] += count


@dataclass
class _HalfHour:
    """Counts the calls of one half hour, of all services and of each."""

    whole: _Counts = field(default_factory=_Counts)
    services: dict[str, _Counts] = field(default_factory=dict)


class Day:
    """Knows the calls of the last 24 hours by half hour; only half hours that changed are counted again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._halves: dict[int, _HalfHour] = {}

    def services(self, now: float) -> dict[str, Usage]:
        """Return the usage of each service that was called, by name; it must not be changed."""
        first = self._refresh(now)
        usages: dict[str, Usage] = {}
        for half in range(first, first + DAY):
            counted = self._halves[half]
            for name, counts in counted.services.items():
                if name not in usages:
                    usages[name] = Usage(first, DAY)
                _put(usages[name], half - first, counts)
        return usages

    def whole(self, now: float) -> Usage:
        """Return the usage of all services together; it must not be changed."""
        first = self._refresh(now)
        usage = Usage(first, DAY)
        for half in range(first, first + DAY):
            _put(usage, half - first, self._halves[half].whole)
        return usage

    def summary(self, now: float, service: str = "") -> Summary:
        """Return the counts of all calls, or of those of a service."""
        first = self._refresh(now)
        summary = Summary()
        for half in range(first, first + DAY):
            counts = self._halves[half].services.get(service) if service else self._halves[half].whole
            if counts is not None:
                for result, count in counts.results.items():
                    summary.by_half[(half, result)] += count
                summary.durations.update(counts.durations)
        return summary

    def names(self, column: str) -> list[str]:
        """Return the names of the services, tools or clients of the recorded calls.

        Raises:
            ValueError: `column` is neither service, tool nor client.
        """
        if column not in ("service", "tool", "client"):
            raise ValueError(f"{column!r} is no column with names")
        # Each step looks the next name up in an index, instead of reading all calls.
        rows = self._store.db.execute(
            f"WITH RECURSIVE names(name) AS (SELECT MIN({column}) FROM calls WHERE {column} > '' UNION ALL "
            f"SELECT (SELECT MIN({column}) FROM calls WHERE {column} > names.name) FROM names WHERE name IS NOT NULL) "
            "SELECT name FROM names WHERE name IS NOT NULL"
        )
        return [row[0] for row in rows]

    def _refresh(self, now: float) -> int:
        """Count what changed, and return the first half hour of the day."""
        first = half_hour(now) - DAY + 1
        changed, self._store.changed_halves = self._store.changed_halves, set()
        # The half hours before the oldest call have none any more.
        changed |= {half for half in self._halves if half < self._store.oldest_half}
        wanted = range(first, first + DAY)
        self._halves = {half: self._halves[half] for half in wanted if half in self._halves and half not in changed}
        missing = [half for half in wanted if half not in self._halves]
        if len(missing) > DAY // 2:
            self._count(first, first + DAY - 1)
        else:
            for half in missing:
                self._count(half, half)
        return first

    def _count(self, first: int, last: int) -> None:
        for half in range(first, last + 1):
            self._halves[half] = _HalfHour()
        rows = self._store.db.execute(
            "SELECT half, service, result, bucket, COUNT(*) FROM calls WHERE is_call = 1 AND half BETWEEN ? AND ? "
            "GROUP BY half, service, result, bucket",
            (first, last),
        )
        results = tuple(Result)
        for half, service, number, bucket, count in rows:
            counted = self._halves[half]
            result = results[number]
            counted.whole.add(result, bucket, count)
            counted.services.setdefault(service, _Counts()).add(result, bucket, count)


def _put(usage: Usage, place: int, counts: _Counts) -> None:
    usage.bad[place] = counts.bad
    usage.good[place] = counts.results.total() - counts.bad
    usage.durations[place] = counts.durations
