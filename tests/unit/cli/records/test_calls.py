"""Times and filters of the command become arguments of the console's program."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone

import pytest

from cli.engine import processes
from cli.records import calls
from cli.records.calls import Query, moment

EAST = timezone(timedelta(hours=8))
NOW = datetime(2026, 11, 29, 21, 43, 30, tzinfo=EAST)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("30m", datetime(2026, 11, 29, 21, 13, 30, tzinfo=EAST)),
        ("2h", datetime(2026, 11, 29, 19, 43, 30, tzinfo=EAST)),
        ("1d", datetime(2026, 11, 28, 21, 43, 30, tzinfo=EAST)),
        ("21:00", datetime(2026, 11, 29, 21, 0, tzinfo=EAST)),
        ("22:15:05", datetime(2026, 11, 28, 22, 15, 5, tzinfo=EAST)),
        ("2026-11-28T20:15", datetime(2026, 11, 28, 20, 15, tzinfo=EAST)),
        ("2026-11-28", datetime(2026, 11, 28, tzinfo=EAST)),
        ("2026-11-28T20:15:00+00:00", datetime(2026, 11, 29, 4, 15, tzinfo=EAST)),
    ],
)
def test_a_time_is_how_long_ago_or_of_the_last_day_or_a_date(text: str, read: datetime) -> None:
    assert moment(text, NOW) == read


@pytest.mark.parametrize("text", ["", "yesterday", "30", "25:00", "2026-13-01"])
def test_other_text_is_no_time(text: str) -> None:
    with pytest.raises(ValueError):
        moment(text, NOW)


def test_conditions_that_are_left_out_are_no_arguments() -> None:
    assert Query().arguments() == ["--limit=100"]
    query = Query("zhihu", "--tool", since=NOW, slower=0.5, limit=3)
    assert query.arguments() == [
        "--service=zhihu", "--tool=--tool", f"--since={NOW.timestamp()}", "--slower=0.5", "--limit=3",
    ]  # fmt: skip


def test_following_goes_on_where_the_program_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = iter([[{"id": 3}, {"after": 5}], [{"after": 7}], [{"id": 8}]])
    asked: list[Sequence[str]] = []

    def lines(container: str, command: Sequence[str], *, seconds: float) -> Iterator[str]:
        asked.append(command)
        yield from map(json.dumps, next(runs))

    monkeypatch.setattr(processes, "lines", lines)
    following = calls.follow("c", Query())
    assert [next(following)["id"], next(following)["id"]] == [3, 8]
    assert [[item for item in command if item.startswith("--after")] for command in asked] == [
        [], ["--after=5"], ["--after=7"],
    ]  # fmt: skip
