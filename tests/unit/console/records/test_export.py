"""Prints recorded calls as lines of JSON, without arguments and answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from dyber_console.records import export
from dyber_console.records.export import Wanted, following, opened, settled_until
from dyber_console.records.model import Call, Span
from dyber_console.records.store import FILE_NAME, Store

NOW = time.time()
ROOT = Path(__file__).resolve().parents[4]


def call(number: int, **changes: object) -> Call:
    known = {
        "at": NOW - 100 + number,
        "request_id": f"request-{number}",
        "trace_id": f"{number:032x}",
        "client": "phone",
        "service": "zhihu",
        "tool": "zhihu_search",
        "outcome": "ok",
        "seconds": 0.5,
        "upstreams": ("172.20.0.3:8001",),
    }
    return Call(**{**known, **changes})  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("DYBER_DATA", str(tmp_path))
    opened_store = Store(tmp_path / FILE_NAME)
    yield opened_store
    opened_store.close()


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    assert export.main(arguments) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line_says_who_called_what_when_with_which_outcome(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    store.add_calls([call(1, at=1_795_873_267.25, outcome="LOGIN_EXPIRED", client="", remote="192.168.1.20")])
    (line,) = printed(capsys)
    assert line == {
        "id": 1,
        "at": "2026-11-28T13:41:07.250+00:00",
        "client": None,
        "service": "zhihu",
        "tool": "zhihu_search",
        "outcome": "LOGIN_EXPIRED",
        "result": "failed",
        "seconds": 0.5,
        "status": 200,
        "tries": 1,
        "request_id": "request-1",
        "remote": "192.168.1.20",
    }


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [
        ((), [1, 2, 3, 4, 5]),
        (("--limit", "2"), [4, 5]),
        (("--service", "weibo"), [2]),
        (("--tool", "zhihu_read"), [3]),
        (("--client", "desktop-pet"), [4]),
        (("--outcome", "refused"), [5]),
        (("--outcome", "circuit_open"), [5]),
        (("--outcome", "ok", "--limit", "1"), [4]),
        (("--since", str(NOW - 97)), [3, 4, 5]),
        (("--before", str(NOW - 97)), [1, 2]),
        (("--slower", "30"), [3]),
    ],
)
def test_filters_choose_the_calls_and_the_oldest_is_first(
    store: Store, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], numbers: list[int]
) -> None:
    store.add_calls(
        [
            call(1),
            call(2, service="weibo"),
            call(3, tool="zhihu_read", seconds=31.0),
            call(4, client="desktop-pet"),
            call(5, outcome="circuit_open"),
            call(6, is_call=False),
        ]
    )
    assert [line["id"] for line in printed(capsys, *arguments)] == numbers


def test_a_call_is_settled_once_its_span_told_the_outcome_or_nobody_was_asked_or_time_has_passed(store: Store) -> None:
    store.add_calls([call(1, at=NOW - 60), call(2, at=NOW - 1), call(3, at=NOW - 1, upstreams=()), call(4, at=NOW - 1)])
    assert settled_until(store.db, 0, NOW) == 1
    span = Span(f"{2:032x}", "02", "01", "zhihu", "call", NOW - 1, 0.4, tool="zhihu_read", outcome="BUSY")
    store.add_spans([span])
    assert settled_until(store.db, 0, NOW) == 3
    assert settled_until(store.db, 0, NOW + export.SETTLING_SECONDS) == 4
    assert settled_until(store.db, 9, NOW) >= 9


def test_following_prints_new_calls_with_their_last_outcome_and_where_to_go_on(store: Store, tmp_path: Path) -> None:
    store.add_calls([call(1), call(2, upstreams=()), call(3, is_call=False)])
    with_reader = following(opened(tmp_path / FILE_NAME), Wanted(), 1, 0.1)
    found = [item if isinstance(item, int) else item.request_id for item in with_reader]
    assert found == ["request-2", 3]


def test_the_program_reads_records_that_a_console_is_writing(store: Store, tmp_path: Path) -> None:
    store.add_calls([call(1)])
    done = subprocess.run(
        [sys.executable, "-m", "dyber_console.records.export", "--follow", "0.1"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "console"), "DYBER_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    first, last = map(json.loads, done.stdout.splitlines())
    assert (first["request_id"], last) == ("request-1", {"after": 1})


def test_records_that_are_missing_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DYBER_DATA", str(tmp_path))
    assert export.main([]) == 1
    assert str(tmp_path / FILE_NAME) in capsys.readouterr().err
    assert not (tmp_path / FILE_NAME).exists()


@pytest.mark.parametrize(
    ("arguments", "known"),
    [
        (["--service=nope"], {"service": ["posts", "zhihu"]}),
        (["--tool=SEARCH"], {"tool": ["zhihu_search"]}),
        (["--tool=nope", "--client=pho"], {"tool": ["posts_hot", "zhihu_search"], "client": ["phone"]}),
        (["--outcome=nope"], {"outcome": ["BUSY", "ok"]}),
    ],
)
def test_for_a_name_that_no_call_has_those_that_there_are_are_told(
    store: Store, capsys: pytest.CaptureFixture[str], arguments: list[str], known: dict[str, list[str]]
) -> None:
    store.add_calls([call(1), call(2, service="posts", tool="posts_hot", outcome="BUSY")])
    assert printed(capsys, *arguments) == [{"known": known}]
    assert printed(capsys, "--outcome=refused") == printed(capsys, "--service=zhihu", "--tool=posts_hot") == []
