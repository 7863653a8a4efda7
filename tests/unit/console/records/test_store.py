"""Records calls and spans, joins them, and stays small."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from dyber_console.records import calls, usage
from dyber_console.records.calls import Filter, Summaries
from dyber_console.records.day import Day
from dyber_console.records.model import Call, Result, Span, bucket, bucket_seconds, percentile
from dyber_console.records.store import Store

NOW = 1_795_873_267.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "console.sqlite")
    yield opened
    opened.close()


def call(number: int = 0, at: float = NOW - 60, **changes: object) -> Call:
    known = {
        "at": at,
        "request_id": f"request-{number}",
        "trace_id": f"{number:032x}",
        "client": "phone",
        "service": "zhihu",
        "tool": "zhihu_search",
        "outcome": "ok",
        "seconds": 0.5,
    }
    return Call(**{**known, **changes})  # type: ignore[arg-type]


def span(number: int = 0, start: float = NOW - 60, outcome: str = "LOGIN_EXPIRED", **changes: object) -> Span:
    known = {
        "trace_id": f"{number:032x}",
        "span_id": "02",
        "parent_id": "01",
        "service": "zhihu",
        "name": "call zhihu_read",
        "start": start,
        "seconds": 0.4,
        "tool": "zhihu_read",
        "outcome": outcome,
    }
    return Span(**{**known, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("span_first", [True, False])
def test_a_call_gets_the_tool_and_the_outcome_of_its_span(store: Store, span_first: bool) -> None:
    if span_first:
        store.add_spans([span()])
    store.add_calls([call(tool="")])
    if not span_first:
        store.add_spans([span()])
    (found,) = calls.page(store, Filter())
    assert (found.tool, found.outcome, found.result) == ("zhihu_read", "LOGIN_EXPIRED", Result.FAILED)


def test_of_several_calls_in_a_trace_the_span_belongs_to_the_nearest_of_its_service(store: Store) -> None:
    trace = f"{7:032x}"
    store.add_calls(
        [
            call(1, NOW - 600, trace_id=trace),
            call(2, NOW - 60, trace_id=trace),
            call(3, NOW - 60, trace_id=trace, service="posts"),
        ]
    )
    store.add_spans([span(7)])
    outcomes = {found.request_id: found.outcome for found in calls.page(store, Filter())}
    assert outcomes == {"request-1": "ok", "request-2": "LOGIN_EXPIRED", "request-3": "ok"}


@pytest.mark.parametrize("span_first", [True, False])
def test_a_span_with_another_parent_is_of_no_call_that_names_its_span(store: Store, span_first: bool) -> None:
    if span_first:
        store.add_spans([span(parent_id="03")])
    store.add_calls([call(span_id="01")])
    if not span_first:
        store.add_spans([span(parent_id="03")])
    assert calls.page(store, Filter())[0].outcome == "ok"
    store.add_spans([span(parent_id="01")])
    assert calls.page(store, Filter())[0].outcome == "LOGIN_EXPIRED"


def test_what_the_gateway_saw_fail_stays_failed(store: Store) -> None:
    store.add_calls([call(outcome="service_timeout", status=504)])
    store.add_spans([span(outcome="ok")])
    (found,) = calls.page(store, Filter())
    assert found.outcome == "service_timeout"


def test_a_request_that_no_header_called_a_call_becomes_one_by_its_span(store: Store) -> None:
    store.add_calls([call(is_call=False)])
    assert calls.page(store, Filter()) == []
    store.add_spans([span(outcome="ok")])
    assert len(calls.page(store, Filter())) == 1


@pytest.mark.parametrize("span_first", [True, False])
@pytest.mark.parametrize("method", ["initialize", "tools/list", "notifications/initialized"])
def test_a_request_whose_span_is_of_something_else_is_no_call(store: Store, method: str, span_first: bool) -> None:
    about = {"kind": "server", "mcp.method.name": method}
    request = span(tool="", outcome="", name=method, details=about)
    if span_first:
        store.add_spans([request])
    store.add_calls([call(tool="", span_id="01"), call(1, trace_id=f"{0:032x}", tool="zhihu_search", span_id="05")])
    if not span_first:
        store.add_spans([request])
    assert [found.request_id for found in calls.page(store, Filter())] == ["request-1"]
    assert Day(store).whole(NOW).count == Summaries(store).of(Filter(service="zhihu")).count == 1
    assert calls.by_request(store, "request-0") is not None


def test_the_log_of_a_call_is_believed_more_than_its_span(store: Store) -> None:
    store.add_calls([call(span_id="01", mcp_method="tools/call")])
    store.add_spans([span(tool="", outcome="", details={"kind": "server", "mcp.method.name": "tools/list"})])
    assert len(calls.page(store, Filter())) == 1


def by_hub(**changes: object) -> Call:
    return call(1, NOW - 60.01, trace_id="a", service="hub", path="/search/mcp", seconds=0.6, **changes)


def to_service(**changes: object) -> Call:
    return call(2, trace_id="a", path="/services/zhihu/mcp", via="hub", **changes)


@pytest.mark.parametrize("hub_first", [True, False])
@pytest.mark.parametrize("tool", ["", "call_tool", "zhihu_search"])
def test_a_call_that_the_hub_passed_on_counts_once(store: Store, hub_first: bool, tool: str) -> None:
    both = [by_hub(tool=tool), to_service()]
    store.add_calls(both if hub_first else both[::-1])
    assert [found.service for found in calls.page(store, Filter())] == ["zhihu"]
    store.add_spans([span(trace_id="a", service="hub", parent_id="", tool=tool, outcome="ok")])
    assert [found.service for found in calls.page(store, Filter())] == ["zhihu"]


def test_a_call_that_its_span_alone_names_counts_once_too(store: Store) -> None:
    store.add_calls([to_service(tool="", is_call=False, span_id="01"), by_hub(tool="call_tool")])
    assert [found.service for found in calls.page(store, Filter())] == ["hub"]
    store.add_spans([span(trace_id="a", parent_id="01")])
    assert [found.service for found in calls.page(store, Filter())] == ["zhihu"]


def test_what_the_hub_answers_itself_stays_a_call_of_its_own(store: Store) -> None:
    store.add_calls([to_service(), by_hub(tool="find_tools")])
    assert len(calls.page(store, Filter())) == 2


def test_filters_and_pages_leave_out_no_call(store: Store) -> None:
    store.add_calls([call(number, outcome="ok" if number % 3 else "BUSY") for number in range(130)])
    chosen, seen = Filter(result=Result.OK), []
    while page := calls.page(store, chosen):
        seen += page
        chosen = Filter(result=Result.OK, before=page[-1].id)
    assert len(seen) == len({each.id for each in seen}) == Summaries(store).of(Filter(result=Result.OK)).count == 86
    assert Summaries(store).of(Filter(service="posts")).count == 0
    assert Summaries(store).of(Filter(slower=1)).count == 0


def test_what_is_older_than_a_day_is_dropped_but_stays_in_the_sums(store: Store) -> None:
    old = NOW - 25 * 3600
    store.add_calls([call(1, old), call(2)])
    store.roll_up(old)
    store.roll_up(NOW)
    store.prune(NOW)
    assert [each.request_id for each in calls.page(store, Filter())] == ["request-2"]
    assert usage.by_tool(store)[("zhihu", "zhihu_search")][0] == 2
    store.prune(NOW + 31 * 86_400)
    assert usage.by_tool(store) == {}


def test_summing_twice_changes_nothing(store: Store) -> None:
    store.add_calls([call(number) for number in range(5)])
    store.roll_up(NOW)
    store.roll_up(NOW)
    assert usage.long_range(store, NOW, "zhihu", 7).count == 5


def test_the_file_stays_below_its_size_and_keeps_the_newest_calls(tmp_path: Path) -> None:
    small = Store(tmp_path / "small.sqlite", longest_mib=4)
    for batch in range(12):
        small.add_calls(call(batch * 1000 + number, NOW - 12_000 + batch * 1000 + number) for number in range(1000))
        small.prune(NOW)
    assert small.size() <= 4 * 2**20
    newest = calls.page(small, Filter())[0]
    assert newest.request_id == "request-11999"
    assert calls.by_request(small, "request-0") is None
    small.close()


def test_of_a_file_that_is_far_too_long_most_that_fits_stays(tmp_path: Path) -> None:
    small = Store(tmp_path / "small.sqlite", longest_mib=4)
    small.add_calls(call(number, NOW - 24_000 + number) for number in range(24_000))
    assert small.size() > 12 * 2**20
    small.prune(NOW)
    assert 3 * 2**20 < small.size() <= 4 * 2**20
    assert Summaries(small).of(Filter()).count > 3000
    small.close()


def test_spans_never_push_out_calls(tmp_path: Path) -> None:
    small = Store(tmp_path / "small.sqlite", longest_mib=4)
    small.add_calls(call(number, NOW - number) for number in range(1000))
    small.add_spans(
        span(number, NOW + 3600, span_id=f"{number:016x}", outcome="", details={"text": "x" * 400})
        for number in range(15_000)
    )
    assert small.size() > 4 * 2**20
    small.prune(NOW)
    assert small.size() <= 4 * 2**20
    assert small.db.execute("SELECT COUNT(*) FROM calls").fetchone()[0] == 1000
    small.close()


def test_a_day_of_100000_calls_is_answered(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    services = [f"service-{number}" for number in range(30)]
    store.add_calls(
        call(number, NOW - number * 0.8, service=services[number % 30], seconds=0.01 * (number % 900))
        for number in range(100_000)
    )
    day = Day(store)
    day.services(NOW)
    store.add_calls([call(100_000)])
    times = {}
    for name, ask in (
        ("overview", lambda: day.services(NOW)),
        ("list", lambda: (day.summary(NOW), calls.page(store, Filter()))),
        ("filtered list", lambda: (Summaries(store).of(Filter(client="phone")), calls.page(store, Filter(tool="x")))),
    ):
        started = time.perf_counter()
        ask()
        times[name] = f"{(time.perf_counter() - started) * 1000:.0f} ms"
    with capsys.disabled():
        print(f"\n100,000 calls: {times}")
    assert sum(each.count for each in day.services(NOW).values()) == 100_001
    assert day.summary(NOW).count == Summaries(store).of(Filter()).count == 100_001
    assert day.whole(NOW).p95 == Summaries(store).of(Filter()).p95


def test_the_counts_of_the_day_follow_late_spans_and_pruning(store: Store) -> None:
    day = Day(store)
    store.add_calls([call(0), call(1, NOW - 23 * 3600)])
    assert (day.whole(NOW).count, day.whole(NOW).failed) == (2, 0)
    store.add_spans([span(0)])
    assert (day.whole(NOW).count, day.whole(NOW).failed) == (2, 1)
    store.prune(NOW + 2 * 3600)
    assert day.whole(NOW).count == 1


def test_a_percentile_is_off_by_less_than_a_twentieth() -> None:
    counts: dict[int, int] = {}
    for number in range(1, 1001):
        counts[bucket(number / 100)] = counts.get(bucket(number / 100), 0) + 1
    assert percentile(counts, 0.95) == pytest.approx(9.5, rel=0.05)
    assert percentile({}, 0.5) is None
    assert bucket_seconds(bucket(0.0)) == 0.001


def test_the_names_of_recorded_calls_are_known_at_once(store: Store) -> None:
    day = Day(store)
    assert day.names("client") == []
    store.add_calls([call(1), call(2, client="claude-code"), call(3, client="")])
    assert day.names("client") == ["claude-code", "phone"]
    with pytest.raises(ValueError, match="remote"):
        day.names("remote")


def test_the_counts_of_clients_follow_their_calls(store: Store) -> None:
    day = Day(store)
    store.add_calls([call(1), call(2, outcome="BUSY"), call(3, client="claude-code", at=NOW - 4000)])
    counted = day.clients(NOW)
    assert {name: (each.count, each.failed, each.last.request_id) for name, each in counted.items()} == {
        "phone": (2, 1, "request-2"),
        "claude-code": (1, 0, "request-3"),
    }
    store.add_calls([call(4, client="claude-code")])
    assert day.clients(NOW)["claude-code"].last.request_id == "request-4"


def test_a_usage_that_did_not_change_is_kept_and_another_is_not(store: Store) -> None:
    day = Day(store)
    store.add_calls([call(1), call(2, service="posts")])
    before = day.services(NOW)
    store.add_calls([call(3, service="posts")])
    after = day.services(NOW)
    assert after["zhihu"] is before["zhihu"]
    assert (before["posts"].count, after["posts"].count) == (1, 2)


def test_of_request_ids_only_those_with_a_call_are_recorded(store: Store) -> None:
    store.add_calls([call(1), call(2, is_call=False)])
    assert calls.recorded(store, {"request-1", "request-2", "request-3"}) == {"request-1", "request-2"}
    assert calls.recorded(store, set()) == set()
