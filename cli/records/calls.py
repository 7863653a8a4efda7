"""Reads the recorded calls from the console's container, in which a program of the console prints them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cli.engine import processes

_PROGRAM = ("python", "-m", "dyber_console.records.export")
#: How long the program follows at most; if this command was killed, it ends by itself after this time.
FOLLOW_SECONDS = 60
_SILENT_SECONDS = 60.0
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class Query:
    """Says which calls are wanted; None leaves a condition out.

    `outcome` is ok, failed, refused or cancelled, or a code. `since` and `before` are times when calls began, `slower`
    are seconds, `limit` is the number of calls before those that are followed.
    """

    service: str | None = None
    tool: str | None = None
    client: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    before: datetime | None = None
    slower: float | None = None
    limit: int = 100

    def arguments(self) -> list[str]:
        """Return the arguments of the console's program."""
        values = {
            "service": self.service,
            "tool": self.tool,
            "client": self.client,
            "outcome": self.outcome,
            "since": self.since.timestamp() if self.since else None,
            "before": self.before.timestamp() if self.before else None,
            "slower": self.slower,
            "limit": self.limit,
        }
        # Joined by =, a value that begins with - is no option.
        return [f"--{name}={value}" for name, value in values.items() if value is not None]


def read(container: str, query: Query) -> Iterator[dict[str, Any]]:
    """Yield the newest calls of a query, the oldest first.

    Without any, yield an object whose `known` has, by condition with a name that no call has, the names that there are.
    Raises EngineError.
    """
    return _calls(container, query.arguments())


def follow(container: str, query: Query) -> Iterator[dict[str, Any]]:
    """Yield the newest calls of a query, then further ones as they end, without an end. Raises EngineError."""
    place: list[str] = []
    while True:
        for content in _calls(container, [*query.arguments(), f"--follow={FOLLOW_SECONDS}", *place], with_places=True):
            after = content.get("after", content.get("id"))
            place = [f"--after={after}"]
            if "id" in content:
                yield content


def _calls(container: str, arguments: list[str], *, with_places: bool = False) -> Iterator[dict[str, Any]]:
    for line in processes.lines(container, [*_PROGRAM, *arguments], seconds=_SILENT_SECONDS):
        content = json.loads(line)
        if with_places or "id" in content or "known" in content:
            yield content


def moment(text: str, now: datetime) -> datetime:
    """Read a time: how long ago (`30m`), a time of the last day (`21:43`), or a date with a time or without.

    `now` has a time zone, which also a time without one is in. Raises ValueError for other text.
    """
    if match := re.fullmatch(r"(\d{1,6})([smhd])", text):
        return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
    if re.fullmatch(r"\d{1,2}:\d\d(:\d\d)?", text):
        hour, minute, *second = map(int, text.split(":"))
        today = now.replace(hour=hour, minute=minute, second=second[0] if second else 0, microsecond=0)
        return today if today <= now else today - timedelta(days=1)
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=now.tzinfo)
