"""Counts the calls of the last day in memory, so that pages need not read them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from dyber_console.records.calls import Summary, call_of
from dyber_console.records.model import Durations, Result, half_hour, percentile
from dyber_console.records.store import Store
from dyber_console.records.usage import DAY, ClientUsage, Usage

_BAD = (Result.FAILED, Result.REFUSED)


@dataclass
class _Counts:
    """Counts calls of one half hour: by result, and by bucket of durations."""

    results: Counter[Result] = field(default_factory=Counter)
    durations: Durations = field(default_factory=lambda: Durations({}))
    p95: float | None = None

    @property
    def bad(self) -> int:
        """Return the number of calls that failed or were refused."""
        return sum(self.results[result] for result in _BAD)

    @classmethod
    def of(cls, results: Counter[Result], durations: Counter[int]) -> _Counts:
        """Return what was counted."""
        return cls(results, Durations(durations), percentile(durations, 0.95))


@dataclass
class _ClientCounts:
    """Counts the calls of a client, and knows the id of the newest."""

    count: int = 0
    bad: int = 0
    newest: int = 0


@dataclass
class _HalfHour:
    """Counts the calls of one half hour: of all services, of each, and of each client."""

    whole: _Counts = field(default_factory=_Counts)
    services: dict[str, _Counts] = field(default_factory=dict)
    clients: dict[str, _ClientCounts] = field(default_factory=dict)


class Day:
    """Knows the calls of the last 24 hours by half hour; only half hours that changed are counted again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._halves: dict[int, _HalfHour] = {}
        #: The number of the last change of the store that is counted.
        self._change = 0
        #: What was counted last, so that what did not change stays the same object.
        self._before: dict[int, _HalfHour] = {}
        self._usages: dict[str, tuple[tuple[int, list[_Counts | None]], Usage]] = {}

    def services(self, now: float) -> dict[str, Usage]:
        """Return the usage of each service that was called, by name; it must not be changed."""
        first = self._refresh(now)
        halves = [self._halves[half] for half in range(first, first + DAY)]
        names = {name for counted in halves for name in counted.services}
        usages: dict[str, tuple[tuple[int, list[_Counts | None]], Usage]] = {}
        for name in names:
            made_of = (first, [counted.services.get(name) for counted in halves])
            kept = self._usages.get(name)
            usages[name] = kept if kept is not None and _same(kept[0], made_of) else (made_of, _usage(*made_of))
        self._usages = usages
        return {name: usage for name, (_, usage) in usages.items()}

    def clients(self, now: float) -> dict[str, ClientUsage]:
        """Return the usage of each client, by name; "" is calls without a good token."""
        first = self._refresh(now)
        sums: dict[str, _ClientCounts] = {}
        for half in range(first, first + DAY):
            for name, counts in self._halves[half].clients.items():
                known = sums.setdefault(name, _ClientCounts())
                known.count += counts.count
                known.bad += counts.bad
                known.newest = max(known.newest, counts.newest)
        result = {}
        for name, counts in sums.items():
            row = self._store.db.execute("SELECT * FROM calls WHERE id = ?", (counts.newest,)).fetchone()
            if row is not None:
                result[name] = ClientUsage(counts.count, counts.bad, call_of(row))
        return result

    def whole(self, now: float) -> Usage:
        """Return the usage of all services together; it must not be changed."""
        first = self._refresh(now)
        return _usage(first, [self._halves[half].whole for half in range(first, first + DAY)])

    def summary(self, now: float, service: str = "") -> Summary:
        """Return the counts of all calls, or of those of a service."""
        first = self._refresh(now)
        summary = Summary()
        for half in range(first, first + DAY):
            counts = self._halves[half].services.get(service) if service else self._halves[half].whole
            if counts is not None:
                for result, count in counts.results.items():
                    summary.by_half[(half, result)] += count
                summary.durations.update(counts.durations.counter())
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
        changed, self._change = self._store.changed_since(self._change), self._store.changes
        # The half hours before the oldest call have none any more.
        changed |= {half for half in self._halves if half < self._store.oldest_half}
        wanted = range(first, first + DAY)
        self._before = {half: counted for half, counted in self._halves.items() if half in changed}
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
        bad = ", ".join(str(int(result)) for result in _BAD)
        for half, client, count, failed, newest in self._store.db.execute(
            f"SELECT half, client, COUNT(*), SUM(result IN ({bad})), MAX(id) FROM calls WHERE is_call = 1 "
            "AND half BETWEEN ? AND ? GROUP BY half, client",
            (first, last),
        ):
            self._halves[half].clients[client] = _ClientCounts(count, failed, newest)
        rows = self._store.db.execute(
            "SELECT half, service, result, bucket, COUNT(*) FROM calls WHERE is_call = 1 AND half BETWEEN ? AND ? "
            "GROUP BY half, service, result, bucket",
            (first, last),
        )
        counted: dict[tuple[int, str], tuple[Counter[Result], Counter[int]]] = {}
        results = tuple(Result)
        for half, service, number, bucket, count in rows:
            # Those of all services have no name.
            for key in ((half, service), (half, "")):
                counters = counted.setdefault(key, (Counter(), Counter()))
                counters[0][results[number]] += count
                counters[1][bucket] += count
        for (half, service), counters in counted.items():
            if service:
                self._halves[half].services[service] = _Counts.of(*counters)
            else:
                self._halves[half].whole = _Counts.of(*counters)
        for half in range(first, last + 1):
            before = self._before.pop(half, None)
            if before is not None:
                services = self._halves[half].services
                services.update({name: old for name, old in before.services.items() if services.get(name) == old})


def _same(kept: tuple[int, list[_Counts | None]], made_of: tuple[int, list[_Counts | None]]) -> bool:
    """Tell whether a usage is made of the same counts, which are not changed after counting."""
    return kept[0] == made_of[0] and all(old is new for old, new in zip(kept[1], made_of[1], strict=True))


def _usage(first: int, counted: Sequence[_Counts | None]) -> Usage:
    usage = Usage(first, DAY)
    for place, counts in enumerate(counted):
        if counts is not None:
            usage.bad[place] = counts.bad
            usage.good[place] = counts.results.total() - counts.bad
            usage.durations[place] = counts.durations
            usage.known_p95[place] = counts.p95
    return usage
