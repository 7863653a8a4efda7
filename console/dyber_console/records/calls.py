"""Reads recorded calls: one page of a filtered list, its counts, and single calls."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

from dyber_console.records.model import Call, Result, percentile
from dyber_console.records.store import Store

#: Calls on one page of the list.
PAGE = 50
#: For how many filters counts are kept.
_MOST_KEPT = 8


@dataclass(frozen=True)
class Filter:
    """Says which calls a list has; "" and None leave a condition out.

    Attributes:
        slower: Calls that took at least this many seconds.
        before: Calls that were recorded before the one with this id.
    """

    service: str = ""
    tool: str = ""
    client: str = ""
    result: Result | None = None
    slower: float | None = None
    before: int | None = None

    @property
    def is_empty(self) -> bool:
        """Return whether there is no condition but the place in the list."""
        return self == Filter(before=self.before)


@dataclass
class Summary:
    """Counts the calls of a filter.

    Attributes:
        by_half: Per half hour and result the number of calls.
        durations: Per bucket of durations the number of calls.
    """

    by_half: Counter[tuple[int, Result]] = field(default_factory=Counter)
    durations: Counter[int] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        """Return the number of calls."""
        return self.durations.total()

    @property
    def failed(self) -> int:
        """Return the number of calls that failed or were refused."""
        return sum(count for (_, result), count in self.by_half.items() if result in (Result.FAILED, Result.REFUSED))

    @property
    def p95(self) -> float | None:
        """Return the duration in seconds that 95% of the calls did not exceed."""
        return percentile(self.durations, 0.95)


def page(store: Store, chosen: Filter) -> list[Call]:
    """Return the newest calls of a filter, at most PAGE."""
    where, values = _conditions(chosen)
    if chosen.before is not None:
        where.append("id < ?")
        values.append(chosen.before)
    conditions = " AND ".join(where)
    text = f"SELECT * FROM calls {_index(chosen)} WHERE {conditions} ORDER BY id DESC LIMIT ?"
    if _index(chosen) == _COUNTED:
        # The index has all that the conditions ask for, so that rows are read for the page only.
        ids = f"SELECT id FROM calls {_COUNTED} WHERE {conditions} ORDER BY id DESC LIMIT ?"
        text = f"SELECT * FROM calls WHERE id IN ({ids}) ORDER BY id DESC"
    return [call_of(row) for row in store.db.execute(text, (*values, PAGE))]


_COUNTED = "INDEXED BY calls_counted"


def _index(chosen: Filter) -> str:
    """Return which index finds the calls of a filter: that of its only condition, or the one that has all columns."""
    used = [name for name in ("service", "tool", "client", "result", "slower") if getattr(chosen, name)]
    if chosen.result is Result.OK:
        used.append("result")
    if not used:
        return "NOT INDEXED"
    return f"INDEXED BY calls_by_{used[0]}" if used in (["service"], ["tool"], ["client"]) else _COUNTED


@dataclass
class _Counted:
    """Holds what was counted of a filter: per half hour, the number of calls by result and bucket of durations.

    Attributes:
        change: The number of the last change of the store that is counted.
    """

    halves: dict[int, dict[tuple[Result, int], int]]
    change: int


class Summaries:
    """Counts the calls of filters; of the filters that were asked for last, only what changed is counted again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: dict[Filter, _Counted] = {}

    def of(self, chosen: Filter) -> Summary:
        """Count the calls of a filter, wherever the list is."""
        chosen = replace(chosen, before=None)
        kept = self._kept.pop(chosen, None)
        if kept is None:
            kept = _Counted(self._count(chosen), self._store.changes)
        else:
            kept.halves = {half: counts for half, counts in kept.halves.items() if half >= self._store.oldest_half}
            for half in self._store.changed_since(kept.change):
                kept.halves[half] = self._count(chosen, half).get(half, {})
            kept.change = self._store.changes
        self._kept[chosen] = kept
        if len(self._kept) > _MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        summary = Summary()
        for half, counts in kept.halves.items():
            for (result, bucket), count in counts.items():
                summary.by_half[(half, result)] += count
                summary.durations[bucket] += count
        return summary

    def _count(self, chosen: Filter, half: int | None = None) -> dict[int, dict[tuple[Result, int], int]]:
        """Count the calls of all half hours, or of one."""
        where, values = _conditions(chosen)
        if half is not None:
            where.append("half = ?")
            values.append(half)
        halves: dict[int, dict[tuple[Result, int], int]] = {}
        results = tuple(Result)
        for found, result, bucket, count in self._store.db.execute(
            f"SELECT half, result, bucket, COUNT(*) FROM calls {_COUNTED} WHERE {' AND '.join(where)} "
            "GROUP BY half, result, bucket",
            values,
        ):
            halves.setdefault(found, {})[(results[result], bucket)] = count
        return halves


def by_request(store: Store, request_id: str) -> Call | None:
    """Return the newest call with a request id, or None."""
    row = store.db.execute("SELECT * FROM calls WHERE request_id = ? ORDER BY id DESC LIMIT 1", (request_id,))
    found = row.fetchone()
    return call_of(found) if found else None


def recorded(store: Store, request_ids: Collection[str]) -> set[str]:
    """Return those of the request ids for which there is a call."""
    marks = ",".join("?" * len(request_ids))
    rows = store.db.execute(f"SELECT DISTINCT request_id FROM calls WHERE request_id IN ({marks})", (*request_ids,))
    return {row[0] for row in rows}


def by_trace(store: Store, trace_id: str, service: str) -> Call | None:
    """Return the newest call of a trace to a service, or None."""
    row = store.db.execute(
        "SELECT * FROM calls WHERE trace_id = ? AND service = ? ORDER BY id DESC LIMIT 1", (trace_id, service)
    )
    found = row.fetchone()
    return call_of(found) if found else None


def call_of(row: sqlite3.Row) -> Call:
    """Return the call of a row."""
    details = json.loads(row["details"])
    return Call(
        at=row["at"],
        request_id=row["request_id"],
        trace_id=row["trace_id"],
        client=row["client"],
        service=row["service"],
        tool=row["tool"],
        outcome=row["outcome"],
        seconds=row["seconds"],
        status=row["status"],
        is_call=bool(row["is_call"]),
        mcp_method=details["mcp_method"],
        path=details["path"],
        protocol=details["protocol"],
        bytes_in=details["bytes_in"],
        bytes_out=details["bytes_out"],
        upstreams=tuple(details["upstreams"]),
        upstream_seconds=tuple(details["upstream_seconds"]),
        breaker=details["breaker"],
        remote=details["remote"],
        user_agent=details["user_agent"],
        via=details["via"],
        upstream_statuses=tuple(details.get("upstream_statuses", ())),
        span_id=details.get("span_id", ""),
        parent_id=details.get("parent_id", ""),
        id=row["id"],
    )


def _conditions(chosen: Filter) -> tuple[list[str], list[Any]]:
    conditions = {
        "service = ?": chosen.service or None,
        "tool = ?": chosen.tool or None,
        "client = ?": chosen.client or None,
        "result = ?": chosen.result,
        "seconds >= ?": chosen.slower,
    }
    used = {text: value for text, value in conditions.items() if value is not None}
    return ["is_call = 1", *used], list(used.values())
