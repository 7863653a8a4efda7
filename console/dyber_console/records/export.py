"""Prints the recorded calls, one JSON object per line: `python -m dyber_console.records.export`.

The command `./deploy.sh calls` runs this program in the console's container, so it imports little and needs no running
console. A line has `id`, `at` (UTC), `client`, `service`, `tool`, `outcome` (`ok`, `cancelled` or a code), `result`
(ok, failed, refused, cancelled), `seconds`, `status`, `tries`, `request_id` and `remote`; what is not known is null.
Without any call, a line with nothing but `known` says by condition which names there are in place of one that no call
has.
While it follows, lines with nothing but `after` say after which id to go on, with the argument of this name.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dyber_console.records.calls import call_of
from dyber_console.records.model import Call, Result
from dyber_console.records.store import FILE_NAME

#: How long after its end a call may still get the tool and the outcome from its spans, in seconds.
SETTLING_SECONDS = 7.0
#: Seconds between two looks for new calls, and between two lines that show that the program still runs.
_POLL_SECONDS = 0.5
_ALIVE_SECONDS = 10.0
_MOST_NAMES = 30
_RESULTS = {result.name.lower(): result for result in Result}


@dataclass(frozen=True)
class Wanted:
    """Says which calls are printed; "" and None leave a condition out.

    Attributes:
        outcome: ok, failed, refused or cancelled, or a code such as LOGIN_EXPIRED.
        since: Calls that began at this time or later, in seconds since 1970.
        before: Calls that began before this time.
        slower: Calls that took at least this many seconds.
    """

    service: str = ""
    tool: str = ""
    client: str = ""
    outcome: str = ""
    since: float | None = None
    before: float | None = None
    slower: float | None = None

    def conditions(self) -> tuple[str, list[Any]]:
        """Return the conditions as SQL, and their values."""
        result = _RESULTS.get(self.outcome)
        conditions = {
            "service = ?": self.service or None,
            "tool = ?": self.tool or None,
            "client = ?": self.client or None,
            "result = ?": result,
            "outcome = ?": self.outcome if self.outcome and result is None else None,
            "at >= ?": self.since,
            "at < ?": self.before,
            "seconds >= ?": self.slower,
        }
        used = {text: value for text, value in conditions.items() if value is not None}
        return " AND ".join(["is_call = 1", *used]), list(used.values())


def opened(path: Path) -> sqlite3.Connection:
    """Open the records for reading only. Raises sqlite3.Error when there are none."""
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    db.row_factory = sqlite3.Row
    return db


def newest(db: sqlite3.Connection, wanted: Wanted, limit: int, until: int | None = None) -> list[Call]:
    """Return the newest calls, the oldest of them first; `until` is the highest id to look at."""
    text, values = wanted.conditions()
    if until is not None:
        text, values = f"{text} AND id <= ?", [*values, until]
    rows = db.execute(f"SELECT * FROM calls WHERE {text} ORDER BY id DESC LIMIT ?", (*values, limit)).fetchall()
    return [call_of(row) for row in reversed(rows)]


def settled_until(db: sqlite3.Connection, after: int, now: float) -> int:
    """Return the highest id up to which no call will change any more, at least `after`.

    A call is settled when a span has told its outcome, when no service was asked, or after SETTLING_SECONDS.
    """
    young = db.execute(
        "SELECT * FROM calls WHERE id > ? AND at + seconds > ? ORDER BY id", (after, now - SETTLING_SECONDS)
    )
    for row in young:
        call = call_of(row)
        if call.upstreams and not _has_told(db, call):
            return call.id - 1
    last = db.execute("SELECT MAX(id) FROM calls").fetchone()[0]
    return max(after, last or 0)


def _has_told(db: sqlite3.Connection, call: Call) -> bool:
    spans = db.execute(
        "SELECT 1 FROM spans WHERE trace_id = ? AND service = ? "
        "AND (outcome > '' OR json_extract(details, '$.\"mcp.method.name\"') > '') LIMIT 1",
        (call.trace_id, call.service),
    )
    return spans.fetchone() is not None


def following(db: sqlite3.Connection, wanted: Wanted, after: int, seconds: float) -> Iterator[Call | int]:
    """Yield the calls after an id once they are settled, for so many seconds.

    Between them, now and then and at the end, yield the id after which to go on.
    """
    text, values = wanted.conditions()
    end = time.monotonic() + seconds
    said = time.monotonic()
    while time.monotonic() < end:
        until = settled_until(db, after, time.time())
        rows = db.execute(
            f"SELECT * FROM calls WHERE {text} AND id > ? AND id <= ? ORDER BY id", (*values, after, until)
        ).fetchall()
        yield from (call_of(row) for row in rows)
        after = until
        if time.monotonic() - said >= _ALIVE_SECONDS:
            said = time.monotonic()
            yield after
        time.sleep(_POLL_SECONDS)
    yield after


def known_names(db: sqlite3.Connection, wanted: Wanted) -> dict[str, list[str]]:
    """Return, for each condition with a name that no call has, the names that calls have; similar ones if there are."""
    outcome = "" if wanted.outcome in _RESULTS else wanted.outcome
    known = {}
    for column, name in {**vars(wanted), "outcome": outcome}.items():
        if column in ("service", "tool", "client", "outcome") and name:
            rows = db.execute(f"SELECT DISTINCT {column} FROM calls WHERE is_call = 1 AND {column} > '' ORDER BY 1")
            names = [row[0] for row in rows]
            if name not in names:
                similar = [each for each in names if name.lower() in each.lower()]
                known[column] = (similar or names)[:_MOST_NAMES]
    return known


def line(call: Call) -> str:
    """Return a call as a line."""
    content = {
        "id": call.id,
        "at": datetime.fromtimestamp(call.at, UTC).isoformat(timespec="milliseconds"),
        "client": call.client or None,
        "service": call.service,
        "tool": call.tool or None,
        "outcome": call.outcome,
        "result": call.result.name.lower(),
        "seconds": round(call.seconds, 3),
        "status": call.status,
        "tries": call.tries,
        "request_id": call.request_id,
        "remote": call.remote or None,
    }
    return json.dumps(content, ensure_ascii=False)


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dyber_console.records.export")
    for name in ("service", "tool", "client", "outcome"):
        parser.add_argument(f"--{name}", default="")
    for name in ("since", "before", "slower"):
        parser.add_argument(f"--{name}", type=float)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--after", type=int, help="follow after this id; without it the newest calls come first")
    parser.add_argument("--follow", type=float, metavar="SECONDS", help="print further calls for so long")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> int:
    """Print the calls that the arguments ask for; return the exit code."""
    chosen = _arguments(given)
    wanted = Wanted(
        chosen.service, chosen.tool, chosen.client, chosen.outcome, chosen.since, chosen.before, chosen.slower
    )
    path = Path(os.environ.get("DYBER_DATA") or "/data") / FILE_NAME
    try:
        db = opened(path)
        after = chosen.after
        if after is None:
            after = settled_until(db, 0, time.time()) if chosen.follow else None
            calls = newest(db, wanted, chosen.limit, after)
            for call in calls:
                print(line(call))
            if not calls and (known := known_names(db, wanted)):
                print(json.dumps({"known": known}, ensure_ascii=False))
        if chosen.follow:
            for found in following(db, wanted, after or 0, chosen.follow):
                print(json.dumps({"after": found}) if isinstance(found, int) else line(found), flush=True)
    except sqlite3.Error as error:
        print(f"{path}: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
