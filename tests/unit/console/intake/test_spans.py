"""Takes spans in both forms of OTLP over HTTP."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator

import httpx2
import pytest
from dyber_console.intake.spans import spans_app
from dyber_console.records.model import Span
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SentSpan

from tests.console.support import records

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
EXPORT = records.export(
    "zhihu",
    records.span(TRACE, 2, 1, "call zhihu_search", 1000.0, 0.5, mcp_tool="zhihu_search", mcp_outcome="LOGIN_EXPIRED"),
)
JSON = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "zhihu-mcp"}}]},
            "scopeSpans": [
                {
                    "spans": [
                        {
                            "traceId": TRACE,
                            "spanId": "0000000000000002",
                            "parentSpanId": "0000000000000001",
                            "name": "call zhihu_search",
                            "startTimeUnixNano": "1000000000000",
                            "endTimeUnixNano": "1000500000000",
                            "attributes": [
                                {"key": "mcp.tool", "value": {"stringValue": "zhihu_search"}},
                                {"key": "mcp.outcome", "value": {"stringValue": "LOGIN_EXPIRED"}},
                                {"key": "arguments", "value": {"stringValue": "secret words"}},
                            ],
                        }
                    ]
                }
            ],
        }
    ]
}
PROTOBUF = {"content-type": "application/x-protobuf"}


async def sent(body: bytes, headers: dict[str, str]) -> tuple[int, list[Span]]:
    taken: list[Span] = []
    transport = httpx2.ASGITransport(app=spans_app(taken.extend))
    async with httpx2.AsyncClient(transport=transport, base_url="http://console") as client:
        response = await client.post("/v1/traces", content=body, headers=headers)
    return response.status_code, taken


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (EXPORT, PROTOBUF),
        (gzip.compress(EXPORT), {**PROTOBUF, "content-encoding": "gzip"}),
        (json.dumps(JSON).encode(), {"content-type": "application/json"}),
    ],
    ids=["protobuf", "gzip", "json"],
)
async def test_a_span_of_a_call_names_its_tool_and_outcome(body: bytes, headers: dict[str, str]) -> None:
    status, spans = await sent(body, headers)
    assert status == 200
    assert spans == [
        Span(
            TRACE, "0000000000000002", "0000000000000001", "zhihu", "call zhihu_search", 1000.0, 0.5, False,
            "zhihu_search", "LOGIN_EXPIRED", {},
        )
    ]  # fmt: skip


@pytest.mark.parametrize("body", [b"\xff\xff", b"not an export"])
async def test_what_is_no_export_is_refused(body: bytes) -> None:
    assert await sent(body, PROTOBUF) == (400, [])


async def test_a_body_that_grows_beyond_all_bounds_is_refused() -> None:
    bomb = gzip.compress(b"\x00" * (40 * 2**20))
    assert await sent(bomb, {**PROTOBUF, "content-encoding": "gzip"}) == (413, [])
    assert await sent(b"\x00" * (5 * 2**20), PROTOBUF) == (413, [])


def request_span(name: str, **attributes: str) -> bytes:
    span = records.span(TRACE, 2, 1, name, 1000.0, 0.5)
    span.kind = SentSpan.SPAN_KIND_SERVER
    for key, value in attributes.items():
        span.attributes.add(key=key.replace("__", "."), value=AnyValue(string_value=value))
    return records.export("zhihu", span)


@pytest.mark.parametrize(
    ("name", "attributes", "expected"),
    [
        (
            "tools/call zhihu_read",
            {"gen_ai__tool__name": "zhihu_read", "mcp__outcome": "LOGIN_EXPIRED"},
            ("zhihu_read", "LOGIN_EXPIRED"),
        ),
        ("execute_tool zhihu_read", {"gen_ai__tool__name": "zhihu_read", "mcp__outcome": "ok"}, ("", "")),
        ("prompts/get zhihu_greet", {"gen_ai__prompt__name": "zhihu_greet", "mcp__outcome": "ok"}, ("", "")),
        ("tools/list", {}, ("", "")),
        (
            "tools/call nonsense",
            {
                "mcp__method__name": "tools/call",
                "gen_ai__tool__name": "nonsense",
                "rpc__response__status_code": "-32602",
            },
            ("nonsense", "unknown_tool"),
        ),
        (
            "tools/call zhihu_read",
            {
                "mcp__method__name": "tools/call",
                "gen_ai__tool__name": "zhihu_read",
                "rpc__response__status_code": "-32022",
            },
            ("zhihu_read", "protocol_error"),
        ),
        ("tools/list", {"mcp__method__name": "tools/list", "rpc__response__status_code": "-32602"}, ("", "")),
    ],
)
async def test_the_tool_of_a_request_is_read_by_the_conventions_for_mcp(
    name: str, attributes: dict[str, str], expected: tuple[str, str]
) -> None:
    _, (span,) = await sent(request_span(name, **attributes), PROTOBUF)
    assert (span.tool, span.outcome) == expected
    assert span.details["kind"] == "server"


@pytest.mark.parametrize(
    ("body", "kind"), [(EXPORT, "application/x-protobuf"), (json.dumps(JSON).encode(), "application/json")]
)
async def test_exports_are_passed_on_as_protobuf_with_everything_in_them(body: bytes, kind: str) -> None:
    passed: list[tuple[bytes, int]] = []
    app = spans_app(lambda spans: None, lambda export, count: passed.append((export, count)))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://console") as client:
        await client.post("/v1/traces", content=body, headers={"content-type": kind})
    ((export, count),) = passed
    (group,) = ExportTraceServiceRequest.FromString(export).resource_spans
    assert (count, group.scope_spans[0].spans[0].trace_id.hex()) == (1, TRACE)


def many(count: int, trace_id: bytes = bytes(16), span_id: bytes = bytes(8)) -> bytes:
    """Return an export of the smallest spans that have ids."""
    return records.export("zhihu", *(SentSpan(trace_id=trace_id, span_id=span_id) for _ in range(count)))


async def test_of_very_many_spans_the_first_are_taken() -> None:
    status, spans = await sent(gzip.compress(many(30_000)), {**PROTOBUF, "content-encoding": "gzip"})
    assert (status, len(spans)) == (200, 2000)


async def test_a_body_of_more_than_a_mebibyte_is_refused() -> None:
    packed = gzip.compress(many(60_000))
    assert len(packed) < 2**16
    assert await sent(packed, {**PROTOBUF, "content-encoding": "gzip"}) == (413, [])


async def test_json_of_very_many_objects_is_refused() -> None:
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{}] * 60_000}]}]}).encode()
    assert await sent(body, {"content-type": "application/json"}) == (413, [])


@pytest.mark.parametrize("changes", [{"trace_id": bytes(100)}, {"span_id": b"1"}])
async def test_spans_with_ids_of_another_length_are_left_out(changes: dict[str, bytes]) -> None:
    assert await sent(many(1, **changes), PROTOBUF) == (200, [])


async def test_more_exports_than_can_be_received_at_once_are_to_be_sent_again() -> None:
    taken: list[Span] = []
    go_on = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield EXPORT[:10]
        await go_on.wait()
        yield EXPORT[10:]

    transport = httpx2.ASGITransport(app=spans_app(taken.extend))
    async with httpx2.AsyncClient(transport=transport, base_url="http://console") as client:
        waiting = [asyncio.create_task(client.post("/v1/traces", content=slow(), headers=PROTOBUF)) for _ in range(16)]
        await asyncio.sleep(0)
        refused = await asyncio.wait_for(client.post("/v1/traces", content=EXPORT, headers=PROTOBUF), 30)
        go_on.set()
        answers = await asyncio.gather(*waiting)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert {answer.status_code for answer in answers} == {200}
    assert len(taken) == 16
