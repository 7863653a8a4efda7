"""Records and reads the last lines of the services' logs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field

from dyber_console.records.store import Store

#: Lines of a service that are shown.
SHOWN = 200
#: Lines of a service that are kept, and of those that warn, which many others would push out.
_KEPT = 400
_KEPT_WARNINGS = 200
#: The client that the hub is where it asks in its own name.
_HUB_CLIENT = "_hub"
#: The levels of which lines are chosen, with the lowest number of OTLP that they have.
LEVELS = {"warning": 13, "error": 17}


@dataclass(frozen=True)
class LogLine:
    """Holds one line of a service's log.

    Attributes:
        at: When it was written, in seconds since 1970.
        severity: The number of its level in OTLP: from 9 on information, from 13 on warnings, from 17 on errors.
        level: The name of its level.
        fields: What else the line says, as text by name.
    """

    at: float
    service: str
    severity: int
    level: str
    message: str
    request_id: str = ""
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def is_polling(self) -> bool:
        """Return whether it says no more than that the hub asked for a list or a state again, and got it."""
        status = self.fields.get("status", "")
        return self.fields.get("client") == _HUB_CLIENT and self.look == "info" and not status.startswith(("4", "5"))

    @property
    def look(self) -> str:
        """Return the name of the level in classes: info, warning or error."""
        if self.severity >= LEVELS["error"]:
            return "error"
        return "warning" if self.severity >= LEVELS["warning"] else "info"


def add(store: Store, lines: Iterable[LogLine]) -> int:
    """Record lines; return how many."""
    rows = [
        (each.at, each.service, each.severity, each.level, each.request_id, each.message,
         json.dumps(each.fields, ensure_ascii=False))
        for each in lines
    ]  # fmt: skip
    with store.db:
        store.db.executemany(
            "INSERT INTO logs (at, service, severity, level, request_id, message, fields) VALUES (?,?,?,?,?,?,?)", rows
        )
    return len(rows)


def recent(store: Store, service: str, level: str = "") -> list[LogLine]:
    """Return the last lines of a service, the newest first, at most SHOWN; only those of a level and above."""
    rows = store.db.execute(
        "SELECT * FROM logs WHERE service = ? AND severity >= ? ORDER BY id DESC LIMIT ?",
        (service, LEVELS.get(level, 0), SHOWN),
    )
    return [_line(row) for row in rows]


def of_request(store: Store, request_id: str) -> list[LogLine]:
    """Return the kept lines of a request in the order of their writing, at most SHOWN."""
    rows = store.db.execute("SELECT * FROM logs WHERE request_id = ? ORDER BY at, id LIMIT ?", (request_id, SHOWN))
    return [_line(row) for row in rows]


def counts(store: Store, service: str) -> dict[str, int]:
    """Return how many of the last lines of a service warn, and how many are errors, by level."""
    row = store.db.execute(
        "SELECT COALESCE(SUM(severity >= ?), 0), COALESCE(SUM(severity >= ?), 0) FROM logs WHERE service = ?",
        (*LEVELS.values(), service),
    ).fetchone()
    return {level: min(SHOWN, count) for level, count in zip(LEVELS, row, strict=True)}


def prune(store: Store) -> None:
    """Drop all but the last lines of each service."""
    with store.db:
        for (service,) in store.db.execute("SELECT DISTINCT service FROM logs").fetchall():
            store.db.execute(
                "DELETE FROM logs WHERE service = ? AND id NOT IN "
                "(SELECT id FROM logs WHERE service = ? ORDER BY id DESC LIMIT ?) AND id NOT IN "
                "(SELECT id FROM logs WHERE service = ? AND severity >= ? ORDER BY id DESC LIMIT ?)",
                (service, service, _KEPT, service, LEVELS["warning"], _KEPT_WARNINGS),
            )


def _line(row: sqlite3.Row) -> LogLine:
    return LogLine(
        row["at"], row["service"], row["severity"], row["level"], row["message"], row["request_id"],
        json.loads(row["fields"]),
    )  # fmt: skip
