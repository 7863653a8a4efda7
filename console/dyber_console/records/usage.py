"""Sums the calls of services over the last day, and over weeks from the half-hour sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property

from dyber_console.records.model import HALF_HOUR, Call, Durations, Result, half_hour, percentile
from dyber_console.records.store import Store

#: Half hours of the last day, the current one included.
DAY = 48
_BAD = (Result.FAILED, Result.REFUSED)
#: Outcomes of calls that the gateway could not pass on.
_LOST = ("service_down", "circuit_open", "service_timeout", "overloaded")


@dataclass
class Usage:
    """Counts calls per period, from `first` on.

    Attributes:
        first: Number of the first half hour.
        halves: Half hours per period.
        good: Calls per period that succeeded or were cancelled.
        bad: Calls per period that failed or were refused.
        durations: Per period the number of calls by bucket of durations.
        known_p95: The 95th percentile of the periods for which it is known already.
    """

    first: int
    periods: int
    halves: int = 1
    good: list[int] = field(default_factory=list)
    bad: list[int] = field(default_factory=list)
    durations: list[Durations] = field(default_factory=list)
    known_p95: dict[int, float | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.good = [0] * self.periods
        self.bad = [0] * self.periods
        self.durations = [Durations({})] * self.periods

    @property
    def count(self) -> int:
        """Return the number of calls."""
        return sum(self.good) + sum(self.bad)

    @property
    def failed(self) -> int:
        """Return the number of calls that failed or were refused."""
        return sum(self.bad)

    @cached_property
    def p95(self) -> float | None:
        """Return the duration in seconds that 95% of all calls did not exceed; None without calls.

        Read it after counting only.
        """
        whole: Counter[int] = Counter()
        for counts in self.durations:
            whole.update(counts.counter())
        return percentile(whole, 0.95)

    def percentiles(self, share: float) -> list[float | None]:
        """Return that percentile of the durations per period, in seconds."""
        if share == 0.95 and self.known_p95:
            return [self.known_p95.get(place) for place in range(self.periods)]
        return [percentile(counts.counter(), share) for counts in self.durations]

    @property
    def start(self) -> float:
        """Return when the first period begins, in seconds since 1970."""
        return self.first * HALF_HOUR

    def place(self, half: int) -> int | None:
        """Return the number of the period of a half hour, or None when it is outside."""
        number = (half - self.first) // self.halves
        return number if 0 <= number < self.periods else None


def long_range(store: Store, now: float, service: str, days: int) -> Usage:
    """Return the usage of a service over days, from the half-hour sums, in 48 to 60 periods."""
    halves = max(1, days * DAY // 56)
    periods = -(-days * DAY // halves)
    usage = Usage(half_hour(now) - periods * halves + 1, periods, halves)
    for half, result, count in store.db.execute(
        "SELECT half, result, SUM(count) FROM sums WHERE service = ? AND half >= ? GROUP BY half, result",
        (service, usage.first),
    ):
        place = usage.place(half)
        if place is not None:
            (usage.bad if result in _BAD else usage.good)[place] += count
    counted: dict[int, Counter[int]] = {}
    for half, bucket, count in store.db.execute(
        "SELECT half, bucket, count FROM durations WHERE service = ? AND half >= ?", (service, usage.first)
    ):
        place = usage.place(half)
        if place is not None:
            counted.setdefault(place, Counter())[bucket] += count
    for place, counts in counted.items():
        usage.durations[place] = Durations(counts)
    return usage


@dataclass(frozen=True)
class ClientUsage:
    """Counts the calls of a client in the last day, with the newest of them."""

    count: int
    failed: int
    last: Call


def by_tool(store: Store) -> dict[tuple[str, str], tuple[int, float]]:
    """Return by service and tool how often it was called in 30 days, and when its last half hour of calls began."""
    rows = store.db.execute("SELECT service, tool, SUM(count), MAX(half) FROM sums GROUP BY service, tool")
    return {(service, tool): (count, half * HALF_HOUR) for service, tool, count, half in rows}


def first_known(store: Store) -> float | None:
    """Return since when calls are summed, in seconds since 1970; None before the first."""
    half = store.db.execute("SELECT MIN(half) FROM sums").fetchone()[0]
    return None if half is None else half * HALF_HOUR


def callers(store: Store, service: str, tools: Collection[str]) -> list[str]:
    """Return the clients that called one of these tools of a service in 30 days, by name."""
    marks = ",".join("?" * len(tools))
    rows = store.db.execute(
        f"SELECT DISTINCT client FROM sums WHERE service = ? AND tool IN ({marks}) AND client <> '' ORDER BY client",
        (service, *tools),
    )
    return [row[0] for row in rows]


def lost_between(store: Store, start: float, end: float) -> int:
    """Return how many calls the gateway could not pass on between two times, in seconds since 1970."""
    marks = ",".join("?" * len(_LOST))
    row = store.db.execute(
        f"SELECT COUNT(*) FROM calls WHERE at BETWEEN ? AND ? AND outcome IN ({marks})", (start, end, *_LOST)
    ).fetchone()
    return int(row[0])
