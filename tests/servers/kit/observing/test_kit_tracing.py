"""Tests that spans reach a collector in the caller's trace, and that an unreachable collector affects no call."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
import template_stand_in
import uvicorn
from fastapi import FastAPI, Request, Response
from mcp import ClientSession
from mcp.client.sse import sse_client
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.stand_in.running import SERVERS, free_port, process, running

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
OTHER_TRACE = "0af7651916cd43dd8448eb211c80319c"
OTHER_CALLER = "b7ad6b7169203331"
HEADERS = {"accept": "application/json, text/event-stream", "traceparent": f"00-{TRACE}-{CALLER}-01"}


def values(attributes: Any) -> dict[str, Any]:
    return {entry.key: getattr(entry.value, entry.value.WhichOneof("value")) for entry in attributes}


@dataclass
class Collector:
    """Holds the spans that an OTLP/HTTP receiver got."""

    base: str = ""
    spans: list[Span] = field(default_factory=list)
    resource: dict[str, Any] = field(default_factory=dict)

    def named(self, name: str) -> Span:
        """Return the only span of that name."""
        (span,) = [span for span in self.spans if span.name == name]
        return span


@pytest.fixture
def collector() -> Iterator[Collector]:
    received = Collector()
    app = FastAPI()

    @app.post("/v1/traces")
    async def receive(request: Request) -> Response:
        for group in ExportTraceServiceRequest.FromString(await request.body()).resource_spans:
            received.resource = values(group.resource.attributes)
            received.spans += [span for scope in group.scope_spans for span in scope.spans]
        return Response(media_type="application/x-protobuf")

    with running(uvicorn.Server(uvicorn.Config(app, port=free_port(), log_level="warning"))) as base:
        received.base = base
        yield received


async def call_then_stop(
    endpoint: str,
    tool: str,
    arguments: dict[str, Any],
    headers: dict[str, str] | None = None,
    *,
    meta: dict[str, Any] | None = None,
    calls: int = 1,
    **environment: str,
) -> httpx2.Response:
    """Call a tool with a `traceparent`, then stop the server, which sends its last spans."""
    params = {"name": tool, "arguments": arguments, "_meta": meta or {}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    with process("template_server", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, **environment) as (child, base):
        async with httpx2.AsyncClient(timeout=30) as http:
            for _ in range(calls):
                answer = await http.post(f"{base}/mcp", json=message, headers={**HEADERS, **(headers or {})})
            assert (await http.get(f"{base}/ready")).status_code == 200
        child.send_signal(signal.SIGTERM)
        await asyncio.to_thread(child.communicate, None, 30)
    assert child.returncode in (0, -signal.SIGTERM)
    return answer


async def test_a_call_and_its_request_to_the_platform_are_spans_of_the_callers_trace(collector):
    with feed() as variables:
        await call_then_stop(collector.base, "template_search", {"query": "第"}, **variables)
    request, upstream_request = collector.named("tools/call template_search"), collector.named("upstream feed")
    assert {span.trace_id.hex() for span in (request, upstream_request)} == {TRACE}
    assert request.parent_span_id.hex() == CALLER
    assert upstream_request.parent_span_id == request.span_id
    assert (request.kind, upstream_request.kind) == (Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT)
    assert request.start_time_unix_nano <= upstream_request.start_time_unix_nano
    assert upstream_request.end_time_unix_nano <= request.end_time_unix_nano
    assert values(request.attributes) == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "mcp.method.name": "tools/call",
        "jsonrpc.request.id": "1",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "template_search",
        "mcp.outcome": "ok",
    }
    assert values(upstream_request.attributes) == {
        "http.request.method": "GET",
        "server.address": "127.0.0.1",
        "http.response.status_code": 200,
    }
    assert collector.resource["service.name"] == "template-mcp"


@contextmanager
def feed() -> Iterator[dict[str, str]]:
    """Run the stand-in platform of the template; yields the variables that make the service read it."""
    config = uvicorn.Config(template_stand_in.app, port=free_port(), log_level="warning")
    with running(uvicorn.Server(config)) as upstream:
        yield {"TEMPLATE_UPSTREAM_URL": f"{upstream}/ok/feed.json?start=21"}


async def test_whether_the_cache_had_the_answer_is_a_span(collector):
    with feed() as variables:
        await call_then_stop(collector.base, "template_search", {"query": "第"}, calls=2, **variables)
    lookups = sorted(
        (span for span in collector.spans if span.name == "cache get"), key=lambda span: span.start_time_unix_nano
    )
    assert [values(span.attributes)["cache.hit"] for span in lookups] == [False, True]
    requests = [span.span_id for span in collector.spans if span.name == "tools/call template_search"]
    assert sorted(span.parent_span_id for span in lookups) == sorted(requests)


async def test_the_wait_for_a_turn_is_a_span(collector):
    quick = {"TEMPLATE_MIN_INTERVAL_SECONDS": "2", "TEMPLATE_CACHE_SECONDS": "0"}
    with feed() as variables:
        await call_then_stop(collector.base, "template_search", {"query": "第"}, calls=2, **variables, **quick)
    waits = [span for span in collector.spans if span.name == "queue feed"]
    requests = {span.span_id for span in collector.spans if span.name == "tools/call template_search"}
    assert waits and {span.parent_span_id for span in waits} <= requests
    assert {values(span.attributes)["queue"] for span in waits} == {"feed"}


async def test_the_span_of_a_failed_call_has_its_code_and_no_text(collector):
    await call_then_stop(collector.base, "template_search", {"query": "PRIVATE-WORDS"})
    call = collector.named("tools/call template_search")
    assert values(call.attributes)["mcp.outcome"] == "NOT_CONFIGURED"
    assert values(call.attributes)["dyber.settings"] == "TEMPLATE_UPSTREAM_URL"
    assert values(call.attributes)["error.type"] == "tool_error"
    assert (call.status.code, call.status.message) == (Status.STATUS_CODE_ERROR, "")
    assert not call.events
    assert not any(b"PRIVATE-WORDS" in span.SerializeToString() for span in collector.spans)


async def test_the_span_of_a_refused_request_has_the_code_of_the_error(collector):
    await call_then_stop(collector.base, "x", {}, {"MCP-Protocol-Version": "1999-01-01"})
    request = collector.named("tools/call x")
    assert values(request.attributes)["error.type"] == "-32022"
    assert request.status.code == Status.STATUS_CODE_ERROR


async def test_the_spans_of_a_renamed_tool_have_the_name_that_the_service_knows(collector):
    await call_then_stop(collector.base, "say", {"text": "a"}, {"X-Dyber-Tool": "template_echo"})
    call = collector.named("tools/call template_echo")
    assert values(call.attributes)["gen_ai.tool.name"] == "template_echo"


async def test_probes_and_scrapes_make_no_spans(collector):
    await call_then_stop(collector.base, "template_echo", {"text": "x"})
    assert [span.name for span in collector.spans] == ["tools/call template_echo"]


async def test_a_caller_that_wants_no_spans_gets_none(collector):
    await call_then_stop(collector.base, "template_echo", {"text": "x"}, {"traceparent": f"00-{TRACE}-{CALLER}-00"})
    assert collector.spans == []


@pytest.mark.parametrize(
    ("headers", "trace", "parent", "told"),
    [
        ({}, OTHER_TRACE, OTHER_CALLER, None),
        ({"X-Dyber-Span": CALLER}, OTHER_TRACE, CALLER, f"00-{OTHER_TRACE}-{OTHER_CALLER}-01"),
        ({"traceparent": f"00-{OTHER_TRACE}-{CALLER}-01"}, OTHER_TRACE, CALLER, None),
    ],
    ids=["without a gateway", "behind a gateway that makes spans", "in the same trace"],
)
async def test_the_trace_in_the_body_counts_more_than_that_of_the_headers(collector, headers, trace, parent, told):
    meta = {"traceparent": f"00-{OTHER_TRACE}-{OTHER_CALLER}-01"}
    answer = await call_then_stop(collector.base, "template_echo", {"text": "x"}, headers, meta=meta)
    request = collector.named("tools/call template_echo")
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (trace, parent)
    assert answer.headers.get("X-Dyber-Trace") == told


async def test_calls_over_the_transport_of_2024_have_spans_that_last_as_long_as_they(collector):
    with process("template_server", OTEL_EXPORTER_OTLP_ENDPOINT=collector.base) as (child, base):
        async with sse_client(f"{base}/mcp/sse", headers={"traceparent": HEADERS["traceparent"]}) as streams:
            async with ClientSession(*streams) as session:
                await session.initialize()
                await session.call_tool("template_countdown", {"steps": 2, "interval_ms": 100})
        child.send_signal(signal.SIGTERM)
        await asyncio.to_thread(child.communicate, None, 30)
    call = collector.named("tools/call template_countdown")
    assert call.trace_id.hex() == TRACE
    assert call.end_time_unix_nano - call.start_time_unix_nano >= 200_000_000
    assert values(call.attributes)["mcp.outcome"] == "ok"


async def test_an_unreachable_collector_affects_neither_calls_nor_the_stop():
    answer = await call_then_stop(f"http://127.0.0.1:{free_port()}", "template_echo", {"text": "still here"})
    assert "still here" in answer.text


def test_without_an_endpoint_the_exporter_is_not_loaded():
    script = (
        "import asyncio, sys\n"
        "from dyber_kit.observing.tracing import tracing\n"
        "async def main():\n"
        "    async with tracing('x', '1'): pass\n"
        "asyncio.run(main())\n"
        "sys.exit('dyber_kit.observing.sending' in sys.modules)\n"
    )
    environment = {"PYTHONPATH": str(SERVERS / "kit")}
    done = subprocess.run([sys.executable, "-c", script], env=environment, timeout=60, check=False)
    assert done.returncode == 0
