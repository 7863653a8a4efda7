"""Finds the spans of a call, those of the gateway included, also through the hub."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from dyber_console.records import calls
from dyber_console.records.model import Call, Span
from dyber_console.records.store import Store
from dyber_console.records.traces import GATEWAY, gateway_spans, request_span_id, spans_of

NOW = 1_795_873_267.5
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER, TOLD = "00f067aa0ba902b7", "b7ad6b7169203331"
CALL = Call(
    NOW, "request", TRACE, "phone", "zhihu", "zhihu_read", "ok", 1.0, path="/api/zhihu/mcp",
    upstreams=("10.0.0.2:80", "10.0.0.3:80"), upstream_seconds=(0.3, 0.6), upstream_statuses=("502", "200"),
    span_id=TOLD, parent_id=CALLER,
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "console.sqlite")
    yield opened
    opened.close()


def span(identifier: str, parent: str, start: float = 0.4, service: str = "zhihu", **changes: object) -> Span:
    known = {"trace_id": TRACE, "name": "tools/call zhihu_read", "start": NOW + start, "seconds": 0.1}
    return Span(span_id=identifier, parent_id=parent, service=service, **{**known, **changes})  # type: ignore[arg-type]


def recorded(store: Store, *known: Call) -> list[Call]:
    store.add_calls(known)
    return [found for call in known if (found := calls.by_request(store, call.request_id))]


def test_the_gateway_has_a_span_for_the_request_and_one_for_each_try() -> None:
    whole, first, last = gateway_spans(CALL)
    assert (whole.parent_id, whole.name, whole.start, whole.seconds) == (CALLER, "POST /api/zhihu/mcp", NOW, 1.0)
    assert [each.parent_id for each in (first, last)] == [whole.span_id] * 2
    assert (first.start, first.seconds, first.failed) == (NOW, 0.3, True)
    assert (last.start, last.seconds, last.failed) == (NOW + 0.3, 0.6, False)
    assert last.details["server.address"] == "10.0.0.3:80"
    assert last.span_id == TOLD
    assert len({whole.span_id, first.span_id, last.span_id}) == 3


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({}, False),
        ({"status": 502, "outcome": "service_down"}, True),
        ({"status": 200, "outcome": "service_down"}, True),
        ({"status": 401, "outcome": "unauthorized"}, False),
        ({"outcome": "LOGIN_EXPIRED"}, False),
        ({"outcome": "tool_error"}, False),
        ({"status": 499, "outcome": "cancelled"}, False),
    ],
)
def test_only_what_the_gateway_itself_failed_at_is_a_failure_of_its_span(
    changes: dict[str, object], failed: bool
) -> None:
    assert gateway_spans(replace(CALL, **changes))[0].failed is failed  # type: ignore[arg-type]


def test_a_call_that_reached_no_service_has_one_span() -> None:
    (whole,) = gateway_spans(replace(CALL, upstreams=(), upstream_seconds=(), upstream_statuses=()))
    assert whole.span_id == request_span_id(CALL)


def test_a_call_has_the_spans_below_its_own_and_no_others_of_the_trace(store: Store) -> None:
    other = replace(CALL, request_id="other", span_id="0af7651916cd43dd")
    (call, _) = recorded(store, CALL, other)
    store.add_spans([span("01", TOLD), span("02", "01", 0.45), span("03", "0af7651916cd43dd"), span("04", "99")])
    found = spans_of(store, call)
    assert [each.span_id for each in found if each.service != GATEWAY] == ["01", "02"]
    assert len(found) == 5


def test_a_call_through_the_hub_has_the_spans_of_the_hub_and_of_the_service(store: Store) -> None:
    outer = replace(CALL, service="hub", path="/mcp")
    relayed = replace(
        CALL, request_id="request-2", at=NOW + 0.35, seconds=0.5, span_id="0af7651916cd43dd", parent_id="02",
        upstreams=("10.0.0.9:80",), upstream_seconds=(0.5,), upstream_statuses=("200",),
    )  # fmt: skip
    (call, inner) = recorded(store, outer, relayed)
    store.add_spans([span("01", TOLD, service="hub"), span("02", "01", service="hub"), span("03", "0af7651916cd43dd")])
    parents = {each.span_id: each.parent_id for each in spans_of(store, call)}
    assert parents["01"] == TOLD
    assert parents[request_span_id(relayed)] == "02"
    assert parents["0af7651916cd43dd"] == request_span_id(relayed)
    assert parents["03"] == "0af7651916cd43dd"
    assert {each.span_id for each in spans_of(store, inner)} == {request_span_id(relayed), "0af7651916cd43dd", "03"}


def test_calls_with_the_same_request_id_are_told_apart(store: Store) -> None:
    outer = replace(CALL, service="hub")
    relayed = replace(CALL, at=NOW + 0.35, span_id="0af7651916cd43dd", parent_id="02")
    store.add_calls([relayed, outer])
    call = calls.by_request(store, "request")
    assert call is not None
    store.add_spans([span("02", TOLD, service="hub"), span("03", "0af7651916cd43dd")])
    assert "03" in {each.span_id for each in spans_of(store, call)}


def test_a_gateway_that_does_not_name_its_span_gets_the_services_spans_at_that_time(store: Store) -> None:
    (call,) = recorded(store, replace(CALL, span_id="", parent_id=""))
    store.add_spans([span("01", CALLER), span("02", "01")])
    found = {each.span_id: each.parent_id for each in spans_of(store, call)}
    assert {"01", "02"} <= found.keys()


def test_the_outcome_of_a_span_is_that_of_the_call_above_it(store: Store) -> None:
    at_the_same_time = replace(CALL, request_id="other", span_id="0af7651916cd43dd", at=NOW + 0.39)
    store.add_calls([CALL, at_the_same_time])
    store.add_spans([span("01", TOLD, tool="zhihu_read", outcome="LOGIN_EXPIRED")])
    outcomes = {name: calls.by_request(store, name).outcome for name in ("request", "other")}
    assert outcomes == {"request": "LOGIN_EXPIRED", "other": "ok"}
