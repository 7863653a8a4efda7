"""Tests that spans reach a collector in the caller's trace, and that an unreachable collector affects no call."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
import template_stand_in
import uvicorn
from fastapi import FastAPI, Request, Response
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.stand_in.running import SERVERS, free_port, process, running

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
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
    endpoint: str, tool: str, arguments: dict[str, Any], headers: dict[str, str] | None = None, **environment: str
) -> httpx2.Response:
    """Call a tool with a `traceparent`, then stop the server, which sends its last spans."""
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
    with process("template_server", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, **environment) as (child, base):
        async with httpx2.AsyncClient(timeout=30) as http:
            answer = await http.post(f"{base}/mcp", json=message, headers={**HEADERS, **(headers or {})})
            assert (await http.get(f"{base}/ready")).status_code == 200
        child.send_signal(signal.SIGTERM)
        await asyncio.to_thread(child.communicate, None, 30)
    assert child.returncode in (0, -signal.SIGTERM)
    return answer


async def test_a_call_and_its_request_to_the_platform_are_spans_of_the_callers_trace(collector):
    config = uvicorn.Config(template_stand_in.app, port=free_port(), log_level="warning")
    with running(uvicorn.Server(config)) as upstream:
        url = f"{upstream}/ok/feed.json?start=21"
        await call_then_stop(collector.base, "template_search", {"query": "第"}, TEMPLATE_UPSTREAM_URL=url)
    names = ("POST /mcp", "tools/call template_search", "call template_search", "upstream feed")
    request, method, call, upstream_request = chain = [collector.named(name) for name in names]
    assert {span.trace_id.hex() for span in chain} == {TRACE}
    assert request.parent_span_id.hex() == CALLER
    parents = [span.parent_span_id for span in (method, call, upstream_request)]
    assert parents == [span.span_id for span in (request, method, call)]
    assert values(request.attributes)["http.response.status_code"] == 200
    assert values(call.attributes) == {"mcp.tool": "template_search", "mcp.outcome": "ok"}
    assert values(upstream_request.attributes) == {
        "http.request.method": "GET",
        "server.address": "127.0.0.1",
        "http.response.status_code": 200,
    }
    assert collector.resource["service.name"] == "template-mcp"


async def test_the_span_of_a_failed_call_has_its_code_and_no_text(collector):
    await call_then_stop(collector.base, "template_search", {"query": "PRIVATE-WORDS"})
    call = collector.named("call template_search")
    assert values(call.attributes)["mcp.outcome"] == "NOT_CONFIGURED"
    assert (call.status.code, call.status.message) == (Status.STATUS_CODE_ERROR, "ServiceError")
    assert not call.events
    assert not any(b"PRIVATE-WORDS" in span.SerializeToString() for span in collector.spans)


async def test_the_spans_of_a_renamed_tool_have_the_name_that_the_service_knows(collector):
    await call_then_stop(collector.base, "say", {"text": "a"}, {"X-Dyber-Tool": "template_echo"})
    assert values(collector.named("tools/call template_echo").attributes)["gen_ai.tool.name"] == "template_echo"
    assert values(collector.named("call template_echo").attributes) == {
        "mcp.tool": "template_echo",
        "mcp.outcome": "ok",
    }


async def test_probes_and_scrapes_make_no_spans(collector):
    await call_then_stop(collector.base, "template_echo", {"text": "x"})
    names = sorted(span.name for span in collector.spans)
    assert names == ["POST /mcp", "call template_echo", "tools/call template_echo"]


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
        "sys.exit('opentelemetry.sdk.trace' in sys.modules)\n"
    )
    environment = {"PYTHONPATH": str(SERVERS / "kit")}
    done = subprocess.run([sys.executable, "-c", script], env=environment, timeout=60, check=False)
    assert done.returncode == 0
