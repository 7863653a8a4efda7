"""Opens the SQLite file of the records, brings its tables up to date and keeps its size bounded."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from dyber_console.records.model import HALF_HOUR, Call, Span, bucket, half_hour, result_of

#: Name of the file in the folder of the console's data.
FILE_NAME = "console.sqlite"
_DAY = 86_400
_CALLS_SECONDS = _DAY
_SUMS_SECONDS = 30 * _DAY
#: Highest numbers of calls and spans, whatever the size of the file.
MOST_CALLS = 200_000
MOST_SPANS = 400_000
#: Share of the spans or calls that is dropped at once when there are too many.
_DROPPED_SHARE = 20
#: How far the clocks of the gateway and of a service may differ when a span is joined to its call, in seconds.
_CLOCKS_SECONDS = 2.0
#: How long before or after a call the call is looked for that passed it on, in seconds; a trace may go on for hours.
_LONGEST_CALL = 600.0

#: Name of the hub as a service, and how the paths begin under which it passes calls on.
HUB = "hub"
_RELAYED = "/services/"
#: Spans of requests that call no tool (`Span.is_other_request`).
_OTHER_REQUEST = (
    "(json_extract(details, '$.kind') = 'server' "
    "AND json_extract(details, '$.\"mcp.method.name\"') NOT IN ('', 'tools/call'))"
)

_TABLES = """
CREATE TABLE IF NOT EXISTS calls (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, half INTEGER NOT NULL, request_id TEXT NOT NULL,
    trace_id TEXT NOT NULL, client TEXT NOT NULL, service TEXT NOT NULL, tool TEXT NOT NULL, outcome TEXT NOT NULL,
    result INTEGER NOT NULL, seconds REAL NOT NULL, bucket INTEGER NOT NULL, status INTEGER NOT NULL,
    is_call INTEGER NOT NULL, details TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS calls_by_request ON calls (request_id);
CREATE INDEX IF NOT EXISTS calls_by_trace ON calls (trace_id);
CREATE INDEX IF NOT EXISTS calls_by_time ON calls (at);
CREATE INDEX IF NOT EXISTS calls_by_client ON calls (client, id);
CREATE INDEX IF NOT EXISTS calls_by_tool ON calls (tool, id);
DROP INDEX IF EXISTS calls_by_result;
CREATE INDEX IF NOT EXISTS calls_by_outcome ON calls (service, is_call, outcome, tool, id);
CREATE INDEX IF NOT EXISTS calls_by_service ON calls (service, id);
DROP INDEX IF EXISTS calls_summary;
CREATE INDEX IF NOT EXISTS calls_counted ON calls (is_call, half, result, bucket, service, client, tool, seconds);
CREATE TABLE IF NOT EXISTS spans (
    trace_id TEXT NOT NULL, span_id TEXT NOT NULL, parent_id TEXT NOT NULL, service TEXT NOT NULL, name TEXT NOT NULL,
    start REAL NOT NULL, seconds REAL NOT NULL, failed INTEGER NOT NULL, tool TEXT NOT NULL, outcome TEXT NOT NULL,
    details TEXT NOT NULL, PRIMARY KEY (trace_id, span_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS spans_by_time ON spans (start);
CREATE TABLE IF NOT EXISTS sums (
    half INTEGER NOT NULL, service TEXT NOT NULL, tool TEXT NOT NULL, client TEXT NOT NULL, outcome TEXT NOT NULL,
    result INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (half, service, tool, client, outcome)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS durations (
    half INTEGER NOT NULL, service TEXT NOT NULL, bucket INTEGER NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (half, service, bucket)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS states (at REAL NOT NULL, service TEXT NOT NULL, state TEXT NOT NULL, code TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS states_by_service ON states (service, at);
CREATE TABLE IF NOT EXISTS logins (
    at REAL NOT NULL, service TEXT NOT NULL, account TEXT NOT NULL, logged_in INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS logins_by_service ON logins (service, account, at);
CREATE TABLE IF NOT EXISTS logs (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, service TEXT NOT NULL, severity INTEGER NOT NULL, level TEXT NOT NULL,
    request_id TEXT NOT NULL, message TEXT NOT NULL, fields TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS logs_by_service ON logs (service, id);
CREATE INDEX IF NOT EXISTS logs_by_request ON logs (request_id) WHERE request_id <> '';
CREATE TABLE IF NOT EXISTS sessions (
    id_hash TEXT PRIMARY KEY, csrf TEXT NOT NULL, created REAL NOT NULL, seen REAL NOT NULL, keep INTEGER NOT NULL,
    password_mark TEXT NOT NULL) WITHOUT ROWID;
"""


class Store:
    """Holds the connection to the records. All methods run in the thread that made the store.

    Args:
        path: The file; its folder must exist.
        longest_mib: Size of the file above which the oldest calls and spans are dropped.
    """

    def __init__(self, path: Path, longest_mib: int = 256) -> None:
        self._longest_bytes = longest_mib * 2**20
        self.db = sqlite3.connect(path)
        self.db.row_factory = sqlite3.Row
        self.db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = NORMAL")
        self.db.execute("PRAGMA cache_size = -2000")
        self.db.executescript(_TABLES)
        #: Grows with every change of calls and spans, so that answers can be kept until something changes.
        self.version = 0
        #: Per half hour whose calls changed since the start, the number of the last of these changes.
        self._changes: dict[int, int] = {}
        #: How many changes of a half hour there were.
        self.changes = 0
        #: The half hour of the oldest call after the last pruning.
        self.oldest_half = 0

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    def changed_since(self, change: int) -> set[int]:
        """Return the half hours whose calls changed after a number of changes (`changes`) that somebody knew."""
        return {half for half, number in self._changes.items() if number > change}

    def _note_change(self, half: int) -> None:
        self.changes += 1
        self._changes[half] = self.changes

    def add_calls(self, calls: Iterable[Call]) -> int:
        """Record calls, with the tool and the outcome of their spans if these are known; return how many."""
        count = 0
        with self.db:
            for call in calls:
                identifier = self.db.execute(_INSERT_CALL, _call_row(call)).lastrowid
                self._note_change(half_hour(call.at))
                for row in self._spans_of(call):
                    if row["outcome"]:
                        self._set_outcome(int(identifier or 0), row["tool"], row["outcome"], call.outcome)
                    else:
                        self._set_other_request(int(identifier or 0))
                if call.service == HUB or call.path.startswith(_RELAYED):
                    self._leave_out_passed_on(call.trace_id, call.at)
                count += 1
        self.version += count
        return count

    def _spans_of(self, call: Call) -> list[sqlite3.Row]:
        """Return the spans that say what a request was, and how it ended."""
        rows = self.db.execute(
            f"SELECT parent_id, start, tool, outcome FROM spans WHERE trace_id = ? AND service = ? "
            f"AND (outcome != '' OR {_OTHER_REQUEST})",
            (call.trace_id, call.service),
        ).fetchall()
        if call.span_id:
            return [row for row in rows if row["parent_id"] == call.span_id]
        return [row for row in rows if row["outcome"] and _is_during(row["start"], call.at, call.seconds)]

    def add_spans(self, spans: Iterable[Span]) -> int:
        """Record spans, and give the calls of their traces the tool and the outcome; return how many."""
        count = 0
        with self.db:
            for span in spans:
                self.db.execute(
                    "INSERT OR REPLACE INTO spans VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                    (
                        span.trace_id, span.span_id, span.parent_id, span.service, span.name, span.start, span.seconds,
                        span.failed, span.tool, span.outcome, json.dumps(span.details, ensure_ascii=False),
                    ),
                )  # fmt: skip
                if span.outcome or span.is_other_request:
                    self._join(span)
                count += 1
        self.version += count
        return count

    def _join(self, span: Span) -> None:
        """Give the call of a span its tool and outcome: the call that is its parent.

        Of calls whose own span is not known, it is the one at that time.
        """
        rows = self.db.execute(
            "SELECT id, at, seconds, outcome, json_extract(details, '$.span_id') AS span_id FROM calls "
            "WHERE trace_id = ? AND service = ?",
            (span.trace_id, span.service),
        ).fetchall()
        above = [row for row in rows if span.parent_id and row["span_id"] == span.parent_id]
        if span.is_other_request:
            for row in above:
                self._set_other_request(row["id"])
            return
        unnamed = [row for row in rows if not row["span_id"]]
        during = above or [row for row in unnamed if _is_during(span.start, row["at"], row["seconds"])]
        if during:
            nearest = min(during, key=lambda row: abs(row["at"] - span.start))
            self._set_outcome(nearest["id"], span.tool, span.outcome, nearest["outcome"])
            self._leave_out_passed_on(span.trace_id, span.start)

    def _set_outcome(self, identifier: int, tool: str, outcome: str, logged: str) -> None:
        # What the gateway saw fail did not reach the caller, whatever the service says.
        final = outcome if logged == "ok" or logged.startswith("http_") else logged
        row = self.db.execute(
            "UPDATE calls SET tool = ?, outcome = ?, result = ?, is_call = 1 WHERE id = ? RETURNING half",
            (tool, final, result_of(final), identifier),
        ).fetchone()
        self._note_change(row[0])

    def _set_other_request(self, identifier: int) -> None:
        """Count a request no longer as a call, unless the log says that it is one."""
        row = self.db.execute(
            "UPDATE calls SET is_call = 0, tool = '' WHERE id = ? AND is_call = 1 "
            "AND json_extract(details, '$.mcp_method') = '' RETURNING half",
            (identifier,),
        ).fetchone()
        if row is not None:
            self._note_change(row[0])

    def _leave_out_passed_on(self, trace_id: str, at: float) -> None:
        """Count calls that the hub passed on only once, as those of the services; those of a trace at about a time."""
        rows = self.db.execute(
            "UPDATE calls AS outer SET is_call = 0 WHERE trace_id = ? AND service = ? AND is_call = 1 "
            "AND at BETWEEN ? AND ? AND EXISTS ("
            "SELECT 1 FROM calls AS inner WHERE inner.trace_id = outer.trace_id AND inner.is_call = 1 "
            "AND json_extract(inner.details, '$.path') LIKE ? AND outer.tool IN ('', 'call_tool', inner.tool) "
            "AND inner.at BETWEEN outer.at - ? AND outer.at + outer.seconds + ?) RETURNING half",
            (trace_id, HUB, at - _LONGEST_CALL, at + _LONGEST_CALL, f"{_RELAYED}%", _CLOCKS_SECONDS, _CLOCKS_SECONDS),
        ).fetchall()
        for row in rows:
            self._note_change(row[0])

    def roll_up(self, now: float, halves: int = 2) -> None:
        """Sum the calls of the last half hours, the current one included, for the pages that look back 30 days."""
        since = half_hour(now) - halves + 1
        with self.db:
            for table in ("sums", "durations"):
                self.db.execute(f"DELETE FROM {table} WHERE half >= ?", (since,))
            self.db.execute(
                "INSERT INTO sums SELECT half, service, tool, client, outcome, MAX(result), COUNT(*) FROM calls "
                "WHERE half >= ? AND is_call = 1 GROUP BY half, service, tool, client, outcome",
                (since,),
            )
            self.db.execute(
                "INSERT INTO durations SELECT half, service, bucket, COUNT(*) FROM calls "
                "WHERE half >= ? AND is_call = 1 GROUP BY half, service, bucket",
                (since,),
            )

    def prune(self, now: float) -> None:
        """Drop what is too old, and the oldest calls and spans while there are too many of them."""
        with self.db:
            self.db.execute("DELETE FROM calls WHERE at < ?", (now - _CALLS_SECONDS,))
            self.db.execute("DELETE FROM spans WHERE start < ?", (now - _CALLS_SECONDS,))
            for table in ("sums", "durations"):
                self.db.execute(f"DELETE FROM {table} WHERE half < ?", (int((now - _SUMS_SECONDS) // HALF_HOUR),))
            for table in ("states", "logins"):
                self.db.execute(f"DELETE FROM {table} WHERE at < ?", (now - _SUMS_SECONDS,))
            self._drop_beyond("calls", "at", MOST_CALLS)
            self._drop_beyond("spans", "start", MOST_SPANS)
        self._free_pages()
        while self.size() > self._longest_bytes and self._drop_oldest():
            self._free_pages()
        oldest = self.db.execute("SELECT MIN(half) FROM calls").fetchone()[0]
        self.oldest_half = half_hour(now) if oldest is None else oldest
        self._changes = {half: number for half, number in self._changes.items() if half >= self.oldest_half}
        self._note_change(self.oldest_half)
        self.version += 1

    def _free_pages(self) -> None:
        """Make the file shorter by its unused pages."""
        # `execute` takes a single step of the statement, which frees a single page.
        self.db.executescript("PRAGMA incremental_vacuum")

    def size(self) -> int:
        """Return the size of the file in bytes, without its log."""
        pages = self.db.execute("PRAGMA page_count").fetchone()[0]
        return int(pages * self.db.execute("PRAGMA page_size").fetchone()[0])

    def _drop_beyond(self, table: str, column: str, most: int) -> None:
        row = self.db.execute(f"SELECT {column} FROM {table} ORDER BY {column} DESC LIMIT 1 OFFSET ?", (most,))
        if oldest := row.fetchone():
            self.db.execute(f"DELETE FROM {table} WHERE {column} <= ?", (oldest[0],))

    def _drop_oldest(self) -> bool:
        """Drop a share of the spans, or of the calls when there are no spans; return False when there are neither.

        Services send spans, and must not be able to push out the calls, which the gateway logs.
        """
        for table, column in (("spans", "start"), ("calls", "at")):
            total = self.db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
            if total:
                with self.db:
                    self._drop_beyond(table, column, total - total // _DROPPED_SHARE - 1)
                return True
        return False


_INSERT_CALL = (
    "INSERT INTO calls (at, half, request_id, trace_id, client, service, tool, outcome, result, seconds, bucket, "
    "status, is_call, details) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)


def _call_row(call: Call) -> tuple[object, ...]:
    details = {
        "mcp_method": call.mcp_method,
        "path": call.path,
        "protocol": call.protocol,
        "bytes_in": call.bytes_in,
        "bytes_out": call.bytes_out,
        "upstreams": call.upstreams,
        "upstream_seconds": call.upstream_seconds,
        "breaker": call.breaker,
        "remote": call.remote,
        "user_agent": call.user_agent,
        "via": call.via,
        "upstream_statuses": call.upstream_statuses,
        "span_id": call.span_id,
        "parent_id": call.parent_id,
    }
    return (
        call.at, half_hour(call.at), call.request_id, call.trace_id, call.client, call.service, call.tool, call.outcome,
        call.result, call.seconds, bucket(call.seconds), call.status, call.is_call,
        json.dumps(details, ensure_ascii=False, separators=(",", ":")),
    )  # fmt: skip


def _is_during(start: float, at: float, seconds: float) -> bool:
    return at - _CLOCKS_SECONDS <= start <= at + seconds + _CLOCKS_SECONDS
