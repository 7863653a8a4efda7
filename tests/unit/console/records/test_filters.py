"""Finds and counts the calls of every filter, whichever index answers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from dyber_console.records import calls
from dyber_console.records.calls import Filter, Summaries, Summary
from dyber_console.records.model import Call, Result, Span
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


def fitting(chosen: Filter, of: list[Call] = CALLS) -> list[Call]:
    return [
        call
        for call in reversed(of)
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
    counted = Summaries(store).of(chosen)
    assert counted.count == len(wanted)
    assert counted.failed == sum(call.result in (Result.FAILED, Result.REFUSED) for call in wanted)
    assert counted.by_half.total() == len(wanted)


@pytest.mark.parametrize(
    "chosen", [Filter(client="pet"), Filter(result=Result.FAILED), Filter(tool="get", slower=5)], ids=str
)
def test_a_kept_summary_follows_new_calls_outcomes_and_what_is_dropped(tmp_path: Path, chosen: Filter) -> None:
    store = Store(tmp_path / "console.sqlite")
    kept = Summaries(store)
    traced = [replace(call, trace_id=f"{number:032x}", outcome="ok") for number, call in enumerate(CALLS)]

    def fresh() -> Summary:
        counted = kept.of(chosen)
        assert counted == Summaries(store).of(chosen)
        return counted

    assert fresh().count == 0
    store.add_calls(traced[:200])
    assert fresh().count == len(fitting(chosen, traced[:200]))
    late = replace(traced[21], outcome="TIMEOUT")
    about = (late.trace_id, "a" * 16, "b" * 16, late.service, "tools/call", late.at, late.seconds, True)
    store.add_spans([Span(*about, tool=late.tool, outcome=late.outcome)])
    traced[21] = late
    assert fresh().count == len(fitting(chosen, traced[:200]))
    store.add_calls(traced[200:])
    assert fresh().count == len(fitting(chosen, traced))
    store.prune(CALLS[150].at + 86_400)
    assert fresh().count == len(fitting(chosen, traced[150:]))
    store.prune(CALLS[-1].at + 2 * 86_400)
    assert fresh().count == 0
    store.close()


def test_counts_are_kept_of_a_few_filters_only(store: Store) -> None:
    kept = Summaries(store)
    for chosen in FILTERS * 2:
        assert kept.of(chosen) == Summaries(store).of(chosen)
    assert len(kept._kept) < len(FILTERS)


def test_a_store_of_before_gets_the_indexes(tmp_path: Path) -> None:
    old = Store(tmp_path / "console.sqlite")
    old.db.execute("DROP INDEX calls_counted")
    old.db.execute("CREATE INDEX calls_summary ON calls (is_call, half)")
    old.close()
    opened = Store(tmp_path / "console.sqlite")
    opened.add_calls(CALLS[:20])
    assert Summaries(opened).of(Filter(slower=1.0)).count > 0
    assert not opened.db.execute("SELECT 1 FROM sqlite_master WHERE name = 'calls_summary'").fetchone()
    opened.close()
