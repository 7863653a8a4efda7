"""Reads the lines that the gateway writes."""

from __future__ import annotations

import json

import pytest
from dyber_console.intake.access_log import call_from_line
from dyber_console.records.model import Result

ENTRY = {
    "time": "2026-11-28T21:41:07+08:00",
    "request_id": "b7c1e0f4a92d4c5d8f16",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "client": "desktop-pet",
    "service": "zhihu",
    "mcp_method": "tools/call",
    "mcp_name": "zhihu_search",
    "method": "POST",
    "path": "/api/zhihu/mcp",
    "protocol": "HTTP/1.1",
    "status": 200,
    "error": "",
    "bytes_in": 412,
    "bytes_out": 5324,
    "seconds": 0.31,
    "upstream": "172.20.0.3:8001",
    "upstream_seconds": "0.309",
    "breaker": "success",
    "remote": "192.168.1.20",
    "user_agent": "DyberPet/0.7.2",
}


def line(**changes: object) -> str:
    return "<190>Nov 28 21:41:07 gateway gateway: " + json.dumps({**ENTRY, **changes})


def test_a_call_begins_as_many_seconds_before_the_line_as_it_took() -> None:
    call = call_from_line(line())
    assert call is not None
    assert (call.tool, call.client, call.trace_id) == (
        "zhihu_search",
        "desktop-pet",
        "4bf92f3577b34da6a3ce929d0e0e4736",
    )
    assert call.at == pytest.approx(1795873267 - 0.31)
    assert call.result is Result.OK


def test_the_tries_of_the_gateway_are_kept_in_order() -> None:
    call = call_from_line(line(upstream="10.0.0.1:80, 10.0.0.2:80 : 10.0.0.3:80", upstream_seconds="-, 0.200 : 0.100"))
    assert call is not None
    assert call.upstreams == ("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80")
    assert call.upstream_seconds == (None, 0.2, 0.1)


@pytest.mark.parametrize(
    ("changes", "outcome", "result"),
    [
        ({"status": 499}, "cancelled", Result.CANCELLED),
        ({"status": 401, "error": "unauthorized"}, "unauthorized", Result.REFUSED),
        ({"status": 503, "error": "circuit_open"}, "circuit_open", Result.REFUSED),
        ({"status": 502, "error": "service_down"}, "service_down", Result.FAILED),
        ({"status": 422}, "http_422", Result.FAILED),
    ],
)
def test_a_status_that_is_not_200_has_an_outcome(changes: dict[str, object], outcome: str, result: Result) -> None:
    call = call_from_line(line(**changes))
    assert call is not None
    assert (call.outcome, call.result) == (outcome, result)


def test_a_list_of_tools_and_a_notification_are_no_calls() -> None:
    listed = call_from_line(line(mcp_method="tools/list", mcp_name=""))
    notification = call_from_line(line(mcp_method="", mcp_name="", status=202))
    assert listed is not None and not listed.is_call
    assert notification is not None and not notification.is_call


def test_the_gateway_knows_the_tool_of_a_call_by_the_hub_whatever_the_header_says() -> None:
    named = call_from_line(line(mcp_method="", mcp_name="", tool="zhihu_search", via="hub", path="/mcp"))
    listed = call_from_line(line(mcp_method="", mcp_name="", tool="", via="hub", path="/mcp", service="hub"))
    renamed = call_from_line(line(mcp_name="search", tool="zhihu_search", via="group"))
    assert named is not None and (named.is_call, named.tool, named.via) == (True, "zhihu_search", "hub")
    assert listed is not None and not listed.is_call
    assert renamed is not None and renamed.tool == "zhihu_search"


def test_a_request_without_a_method_header_counts_as_a_call_of_an_unknown_tool() -> None:
    call = call_from_line(line(mcp_method="", mcp_name=""))
    assert call is not None
    assert call.is_call
    assert call.tool == ""


@pytest.mark.parametrize(
    "text",
    ["", "no object", "{", "[]", '{"service":"zhihu"}', line(method="GET"), line(service=""), line(seconds="soon")],
)
def test_what_is_no_call_or_cannot_be_read_is_left_out(text: str) -> None:
    assert call_from_line(text) is None


def test_long_texts_are_cut() -> None:
    call = call_from_line(line(user_agent="x" * 5000))
    assert call is not None
    assert len(call.user_agent) == 512


def test_with_a_gateway_that_makes_spans_the_line_has_the_span_and_the_callers() -> None:
    call = call_from_line(line(parent_span="b7ad6b7169203331", upstream_status="502, 200", msec=1795873267.25))
    assert call is not None
    assert (call.trace_id, call.span_id) == ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
    assert (call.parent_id, call.upstream_statuses) == ("b7ad6b7169203331", ("502", "200"))
    assert call.at == pytest.approx(1795873267.25 - 0.31)


def test_a_call_whose_body_names_its_trace_is_in_that_trace() -> None:
    named = "00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01"
    call = call_from_line(line(parent_span="b7ad6b7169203331", body_trace=named))
    assert call is not None
    assert (call.trace_id, call.parent_id) == ("0af7651916cd43dd8448eb211c80319c", "b9c7c989f97918e1")
    assert call.span_id == "00f067aa0ba902b7"


@pytest.mark.parametrize("named", ["", "nonsense", None, 7])
def test_a_trace_that_is_none_is_ignored(named: object) -> None:
    call = call_from_line(line(parent_span="nonsense", body_trace=named))
    assert call is not None
    assert (call.trace_id, call.parent_id) == ("4bf92f3577b34da6a3ce929d0e0e4736", "")


def test_a_gateway_that_makes_no_spans_names_none() -> None:
    call = call_from_line(line())
    assert call is not None
    assert (call.span_id, call.parent_id, call.sampled) == ("", "", True)
    unsampled = call_from_line(line(traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"))
    assert unsampled is not None and not unsampled.sampled


def test_half_a_surrogate_pair_is_replaced_as_it_cannot_be_stored() -> None:
    call = call_from_line(json.dumps({**ENTRY, "mcp_name": "\ud83d"}))
    assert call is not None
    assert call.tool == "?"


def test_a_name_that_the_gateway_does_not_know_is_shown_as_the_caller_wrote_it() -> None:
    unknown = call_from_line(line(tool="", mcp_name="nonsense", via="", service="hub", path="/mcp", status=400))
    assert unknown is not None
    assert (unknown.tool, unknown.is_call, unknown.outcome) == ("nonsense", True, "http_400")
    read = call_from_line(line(tool="", mcp_method="resources/read", mcp_name="zhihu://a"))
    assert read is not None and (read.tool, read.is_call) == ("", False)
