"""Arranges the spans of a call, and says where its time went."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from dyber_console.language import using_language
from dyber_console.pages.parts import waterfall
from dyber_console.records.model import Call, Span
from dyber_console.records.traces import gateway_spans

NOW = 1_795_873_267.25
TRACE, TOLD = "4bf92f3577b34da6a3ce929d0e0e4736", "b7ad6b7169203331"
CALL = Call(
    NOW, "request", TRACE, "phone", "zhihu", "zhihu_read", "ok", 10.0, path="/api/zhihu/mcp",
    upstreams=("10.0.0.2:80",), upstream_seconds=(9.8,), upstream_statuses=("200",), span_id=TOLD,
)  # fmt: skip


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with using_language("en"):
        yield


def span(
    identifier: str, parent: str, name: str, start: float, seconds: float, service: str = "zhihu", **details: str
) -> Span:
    return Span(
        TRACE, identifier, parent, service, name, NOW + start, seconds,
        details={key.replace("_", "."): value for key, value in details.items()},
    )  # fmt: skip


def spans(*further: Span) -> list[Span]:
    return [*gateway_spans(CALL), span("01", TOLD, "tools/call zhihu_read", 0.1, 9.6), *further]


def shares(*further: Span) -> dict[str, float]:
    return {share.kind: round(share.seconds, 3) for share in waterfall.shares(CALL, spans(*further))}


def test_rows_are_below_their_parents_with_place_and_length() -> None:
    rows = waterfall.rows(
        CALL, spans(span("03", "01", "upstream feed", 5.0, 2.5), span("02", "01", "queue feed", 0.1, 1.0))
    )
    assert [(row.level, row.kind, row.name) for row in rows] == [
        (0, "gw", "POST /api/zhihu/mcp"),
        (1, "gw", "try 1 → 10.0.0.2:80"),
        (2, "svc", "tools/call zhihu_read"),
        (3, "up", "upstream feed"),
        (3, "wait", "queue feed"),
    ]
    assert (rows[3].place, rows[3].length, rows[3].seconds) == (50.0, 25.0, 2.5)


@pytest.mark.parametrize(
    ("name", "service", "details", "kind"),
    [
        ("queue feed", "zhihu", {}, "wait"),
        ("upstream feed", "zhihu", {"kind": "client"}, "up"),
        ("browser open", "zhihu", {"kind": "client"}, "br"),
        ("cache get", "zhihu", {}, "cache"),
        ("tools/call x", "zhihu", {"kind": "server"}, "svc"),
        ("tools/call x", "zhihu", {"kind": "client"}, "behind"),
        ("tools/call x", "hub", {"kind": "client"}, "hub"),
    ],
)
def test_each_kind_of_span_has_its_kind_of_time(name: str, service: str, details: dict[str, str], kind: str) -> None:
    assert waterfall.kind(span("09", "01", name, 1, 1, service, **details)) == kind


def test_the_time_of_a_call_is_divided_among_the_innermost_spans() -> None:
    found = shares(
        span("02", "01", "queue feed", 0.1, 1.0), span("03", "01", "upstream feed", 2.0, 4.0), span("04", "01", "cache get", 1.5, 0.25)
    )  # fmt: skip
    assert found == {"wait": 1.0, "up": 4.0, "cache": 0.25, "svc": 4.35, "gw": 0.4}


def test_spans_at_the_same_time_count_once_for_the_span_around_them() -> None:
    found = shares(span("02", "01", "upstream a", 1.0, 4.0), span("03", "01", "upstream b", 2.0, 4.0))
    assert found["svc"] == pytest.approx(9.6 - 5.0)


def test_the_sentence_names_the_largest_part() -> None:
    divided = waterfall.shares(CALL, spans(span("03", "01", "upstream feed", 2.0, 7.0)))
    assert waterfall.sentence(divided) == "The largest part was waiting for the platform (7.00 s, 70.0%)."


def test_a_try_that_failed_is_named() -> None:
    call = replace(
        CALL, upstreams=("10.0.0.2:80", "10.0.0.3:80"), upstream_seconds=(8.0, 2.0), upstream_statuses=("504", "200")
    )
    made = [*gateway_spans(call), span("01", TOLD, "tools/call zhihu_read", 8.1, 1.8)]
    assert "lost" in {row.kind for row in waterfall.rows(call, made)}
    assert waterfall.sentence(waterfall.shares(call, made)).startswith("The largest part was a try that failed (8.00 s")


def test_without_spans_of_a_service_only_the_gateways_rows_are_known() -> None:
    alone = gateway_spans(CALL)
    assert [row.kind for row in waterfall.rows(CALL, alone)] == ["gw", "gw"]
    assert waterfall.shares(CALL, alone) == []


def test_spans_of_a_clock_that_is_off_begin_with_the_last_try() -> None:
    late = [*gateway_spans(CALL), span("01", TOLD, "tools/call zhihu_read", 3600.0, 9.6)]
    assert waterfall.rows(CALL, late)[2].place == 2.0


@pytest.mark.parametrize(("start", "seconds"), [(0.0, 0.0017), (0.4, 0.0017), (0.0004, 0.0008), (0.4, 0.000001)])
def test_every_bar_is_inside_its_place_also_of_a_span_longer_than_the_call(start: float, seconds: float) -> None:
    call = replace(CALL, seconds=0.001, upstream_seconds=(0.001,))
    made = [*gateway_spans(call), span("01", TOLD, "tools/call zhihu_read", start, seconds)]
    for row in waterfall.rows(call, made):
        assert row.place >= 0 and row.place + row.length <= 100.01, row
    bar = waterfall.rows(call, made)[2]
    assert bar.length == pytest.approx(max(0.3, 100 * seconds / max(0.001, seconds)), abs=0.01)
    assert waterfall.length(call, made) == max(0.001, seconds)


@pytest.mark.parametrize(("found", "note"), [("True", "hit"), ("False", "not there")])
def test_a_look_into_the_cache_says_whether_something_was_there(found: str, note: str) -> None:
    rows = waterfall.rows(CALL, spans(span("02", "01", "cache get", 1, 0.1, cache_hit=found)))
    assert rows[-1].note == note


def test_the_span_of_a_failed_call_says_with_which_code() -> None:
    failed = replace(span("02", "01", "tools/call x", 1, 0.1, error_type="tool_error"), outcome="LOGIN_EXPIRED")
    assert waterfall.rows(CALL, spans(failed))[-1].note == "LOGIN_EXPIRED"
