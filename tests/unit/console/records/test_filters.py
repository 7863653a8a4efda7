"""Finds and counts the calls of every filter, whichever index answers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from dyber_console.records import calls
from dyber_console.records.calls import Filter
from dyber_console.records.model import Call, Result
from dyber_console.records.store import Store

CALLS = [
    Call(
        1_000_000 + 700 * number, f"r-{number}", "", ("phone", "pet")[number % 2], ("notes", "posts", "code")[number % 3],
        ("search", "get")[number // 2 % 2], ("ok", "ok", "TIMEOUT", "rate_limited", "cancelled")[number % 5],
        number % 7, is_call=number % 11 > 0,
    )
    for number in range(300)
]  # fmt: skip
FILTERS = [
    Filter(*chosen)
    for chosen in itertools.product(
        ("", "notes"), ("", "get"), ("", "pet"), (None, Result.OK, Result.FAILED), (None, 5.0)
    )
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = Store(tmp_path_factory.mktemp("store") / "console.sqlite")
    opened.add_calls(CALLS)
    yield opened
    opened.close()


def fitting(chosen: Filter) -> list[Call]:
    return [
        call
        for call in reversed(CALLS)
        if call.is_call
        and chosen.service in ("", call.service)
        and chosen.tool in ("", call.tool)
        and chosen.client in ("", call.client)
        and chosen.result in (None, call.result)
        and call.seconds >= (chosen.slower or 0)
    ]


@pytest.mark.parametrize("chosen", FILTERS, ids=str)
def test_the_newest_calls_come_first_and_pages_follow_each_other(store: Store, chosen: Filter) -> None:
    wanted = [call.request_id for call in fitting(chosen)]
    first = calls.page(store, chosen)
    assert [call.request_id for call in first] == wanted[: calls.PAGE]
    if len(wanted) > calls.PAGE:
        second = calls.page(store, Filter(**{**vars(chosen), "before": first[-1].id}))
        assert [call.request_id for call in second] == wanted[calls.PAGE : 2 * calls.PAGE]


@pytest.mark.parametrize("chosen", FILTERS, ids=str)
def test_a_summary_counts_all_of_them(store: Store, chosen: Filter) -> None:
    wanted = fitting(chosen)
    counted = calls.summary(store, chosen)
    assert counted.count == len(wanted)
    assert counted.failed == sum(call.result in (Result.FAILED, Result.REFUSED) for call in wanted)
    assert counted.by_half.total() == len(wanted)


def test_a_store_of_before_gets_the_indexes(tmp_path: Path) -> None:
    old = Store(tmp_path / "console.sqlite")
    old.db.execute("DROP INDEX calls_counted")
    old.db.execute("CREATE INDEX calls_summary ON calls (is_call, half)")
    old.close()
    opened = Store(tmp_path / "console.sqlite")
    opened.add_calls(CALLS[:20])
    assert calls.summary(opened, Filter(slower=1.0)).count > 0
    assert not opened.db.execute("SELECT 1 FROM sqlite_master WHERE name = 'calls_summary'").fetchone()
    opened.close()
