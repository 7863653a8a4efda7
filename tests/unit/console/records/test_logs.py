"""Keeps the last lines of the services' logs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dyber_console.records import logs
from dyber_console.records.logs import LogLine
from dyber_console.records.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "console.sqlite")
    yield opened
    opened.close()


def line(at: float, severity: int = 9, service: str = "notes", request: str = "") -> LogLine:
    return LogLine(at, service, severity, "INFO", f"line {at:g}", request, {"n": f"{at:g}"})


def test_the_newest_lines_come_first_and_only_those_of_the_level(store: Store) -> None:
    logs.add(store, [line(1), line(2, 13), line(3, 17), line(4), line(5, service="posts")])
    assert [each.at for each in logs.recent(store, "notes")] == [4, 3, 2, 1]
    assert [each.at for each in logs.recent(store, "notes", "warning")] == [3, 2]
    assert [each.at for each in logs.recent(store, "notes", "error")] == [3]
    assert logs.counts(store, "notes") == {"warning": 2, "error": 1}
    assert logs.recent(store, "notes")[0] == line(4)


def test_the_lines_of_a_request_come_in_their_order(store: Store) -> None:
    logs.add(store, [line(2, request="r-1"), line(1, request="r-1", service="posts"), line(3, request="r-2")])
    assert [(each.at, each.service) for each in logs.of_request(store, "r-1")] == [(1, "posts"), (2, "notes")]


def test_many_lines_push_out_neither_other_services_nor_warnings(store: Store) -> None:
    logs.add(store, [line(0, service="posts"), line(1, 17)])
    logs.add(store, [line(at) for at in range(2, 2000)])
    logs.prune(store)
    assert store.db.execute("SELECT COUNT(*) FROM logs WHERE service = 'notes'").fetchone()[0] == 401
    assert [each.at for each in logs.recent(store, "notes", "warning")] == [1]
    assert len(logs.recent(store, "notes")) == logs.SHOWN
    assert len(logs.recent(store, "posts")) == 1


@pytest.mark.parametrize(
    ("severity", "fields", "is_polling"),
    [
        (9, {"client": "_hub", "path": "/mcp", "status": "200"}, True),
        (9, {"client": "_hub", "path": "/mcp", "status": "503"}, False),
        (13, {"client": "_hub"}, False),
        (9, {"client": "phone", "path": "/mcp", "status": "200"}, False),
        (9, {}, False),
    ],
)
def test_what_the_hub_asks_in_its_own_name_is_polling(severity: int, fields: dict[str, str], is_polling: bool) -> None:
    assert LogLine(1, "notes", severity, "INFO", "request", "r-1", fields).is_polling is is_polling
