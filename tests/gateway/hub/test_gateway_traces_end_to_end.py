"""Follows calls of the SDK's client through the real gateway, hub and service to the platform, as one trace each."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
import pytest
from dyber_console.pages.parts import waterfall
from dyber_console.records.model import Call, Span
from dyber_console.records.traces import spans_of
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SentSpan

from tests.gateway.conftest import NGINX_FOLDER
from tests.gateway.support.docker_cli import build_image
from tests.gateway.support.gateway_under_test import TOKEN, GatewayUnderTest
from tests.gateway.support.hub_under_test import MODERN, PORTS
from tests.gateway.support.traced_stack import TracedStack, breaking_replica, traced_stack

CALLER = "00f067aa0ba902b7"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TracedStack]:
    gateway = GatewayUnderTest(build_image(NGINX_FOLDER), ports=PORTS)
    try:
        gateway.start()
        with traced_stack(gateway, tmp_path_factory.mktemp("traces")) as traced:
            yield traced
    finally:
        gateway.stop()


@dataclass
class Caller:
    """Calls tools with the SDK's client, each call in a trace of its own."""

    http: httpx2.AsyncClient
    client: Client

    async def call(self, tool: str, arguments: dict[str, object]) -> tuple[str, str, bool]:
        """Return the trace, the request's id, and whether the answer is an error."""
        trace, request = uuid.uuid4().hex, uuid.uuid4().hex
        self.http.headers.update({"traceparent": f"00-{trace}-{CALLER}-01", "X-Request-Id": request})
        result = await self.client.call_tool(tool, arguments)
        return trace, request, result.is_error


@asynccontextmanager
async def caller(stack: TracedStack, path: str = "/api/template/mcp", mode: str = MODERN) -> AsyncIterator[Caller]:
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30) as http,
        Client(streamable_http_client(f"{stack.base}{path}", http_client=http), mode=mode) as client,
    ):
        await client.list_tools()  # The client would ask for it after the first call.
        yield Caller(http, client)


async def call(
    stack: TracedStack, tool: str, arguments: dict[str, object], path: str = "/api/template/mcp"
) -> tuple[str, str, bool]:
    """Call a tool once; see `Caller.call`."""
    async with caller(stack, path) as calling:
        return await calling.call(tool, arguments)


def shown(stack: TracedStack, request: str) -> tuple[Call, list[Span]]:
    """Return a call as the console has it, with the spans that it shows."""
    recorded = stack.recorded(request)
    store = stack.store()
    try:
        return recorded, spans_of(store, recorded)
    finally:
        store.close()


@pytest.mark.parametrize("mode", [MODERN, "legacy"])
async def test_a_call_is_one_trace_down_to_the_platform(stack: TracedStack, mode: str) -> None:
    async with caller(stack, mode=mode) as calling:
        await calling.call("template_search", {"query": "第"})  # The next one waits for its turn.
        trace, request, is_error = await calling.call("template_search", {"query": "第"})
    assert not is_error
    tree = stack.tree(trace, 6)
    assert tree == [
        (0, "gateway", "POST /api/template/mcp"),
        (1, "gateway", "POST"),
        (2, "template-mcp", "tools/call template_search"),
        (3, "template-mcp", "cache get"),
        (3, "template-mcp", "queue feed"),
        (3, "template-mcp", "upstream feed"),
    ]
    root = stack.collector.trace(trace)[0][1]
    assert root.parent_span_id.hex() == CALLER
    recorded, spans = shown(stack, request)
    assert (recorded.tool, recorded.outcome, recorded.trace_id) == ("template_search", "ok", trace)
    assert [waterfall.kind(span) for span in spans] == ["gw", "gw", "svc", "cache", "wait", "up"]
    assert waterfall.shares(recorded, spans)


async def test_the_parent_of_the_services_span_is_the_span_in_the_gateways_log(stack: TracedStack) -> None:
    trace, request, _ = await call(stack, "template_echo", {"text": "a"})
    stack.tree(trace, 3)
    entry = stack.gateway.logged(request)
    (span,) = [span for service, span in stack.collector.trace(trace) if service == "template-mcp"]
    assert entry["traceparent"] == f"00-{trace}-{span.parent_span_id.hex()}-01"
    assert entry["parent_span"] == CALLER


async def test_a_call_that_the_hub_answers_has_the_hub_between_gateway_and_service(stack: TracedStack) -> None:
    arguments = {"name": "template_echo", "arguments": {"text": "a"}}
    trace, request, is_error = await call(stack, "call_tool", arguments, "/search/mcp")
    assert not is_error
    assert stack.tree(trace, 7) == [
        (0, "gateway", "POST /search/mcp"),
        (1, "gateway", "POST"),
        (2, "hub-mcp", "tools/call call_tool"),
        (3, "hub-mcp", "tools/call template_echo"),
        (4, "gateway", "POST /services/template/mcp"),
        (5, "gateway", "POST"),
        (6, "template-mcp", "tools/call template_echo"),
    ]
    recorded, spans = shown(stack, request)
    assert recorded.service == "hub"
    assert [waterfall.kind(span) for span in spans] == ["gw", "gw", "hub", "hub", "gw", "gw", "svc"]


async def test_a_call_that_goes_straight_through_an_address_of_the_hub_has_no_span_of_the_hub(
    stack: TracedStack,
) -> None:
    trace, _, is_error = await call(stack, "template_echo", {"text": "a"}, "/mcp")
    assert not is_error
    assert stack.tree(trace, 3) == [
        (0, "gateway", "POST /mcp"),
        (1, "gateway", "POST"),
        (2, "template-mcp", "tools/call template_echo"),
    ]


async def test_a_call_that_fails_has_its_code_at_every_level_that_knows_it(stack: TracedStack) -> None:
    trace, request, is_error = await call(stack, "template_get", {"entry_id": "PRIVATE-WORDS"})
    assert is_error
    assert stack.tree(trace, 3)[2] == (2, "template-mcp", "tools/call template_get")
    spans = {service: span for service, span in stack.collector.trace(trace) if span.kind == SentSpan.SPAN_KIND_SERVER}
    about = {entry.key: entry.value.string_value for entry in spans["template-mcp"].attributes}
    assert about["error.type"] == "tool_error"
    recorded, _ = shown(stack, request)
    assert recorded.outcome == about["mcp.outcome"] != "ok"
    assert not any(b"PRIVATE-WORDS" in span.SerializeToString() for _, span in stack.collector.spans)


@pytest.mark.parametrize("path", ["/api/template/mcp", "/search/mcp"])
async def test_a_trace_that_only_the_body_names_is_that_of_the_gateway_too(stack: TracedStack, path: str) -> None:
    trace, request = uuid.uuid4().hex, uuid.uuid4().hex
    inner = {"name": "template_echo", "arguments": {"text": "a"}}
    named = inner if "api" in path else {"name": "call_tool", "arguments": inner}
    meta = {
        "traceparent": f"00-{trace}-{CALLER}-01",
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = {
        "Content-Type": "application/json", "Accept": "application/json, text/event-stream", "X-Request-Id": request,
        "MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": str(named["name"]),
    }  # fmt: skip
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {**named, "_meta": meta}}
    answer = stack.gateway.request(path, method="POST", headers=headers, body=json.dumps(body).encode())
    assert answer.status == 200, answer.body
    assert "X-Dyber-Trace" not in answer.headers
    rows = stack.tree(trace, 3 if "api" in path else 7)
    assert [depth for depth, _, _ in rows] == list(range(len(rows)))
    assert rows[0][1:] == ("gateway", f"POST {path}")
    assert rows[-1][1:] == ("template-mcp", "tools/call template_echo")
    assert stack.collector.trace(trace)[0][1].parent_span_id.hex() == CALLER
    assert stack.recorded(request).trace_id == trace


async def test_what_the_hub_asks_in_its_own_name_makes_no_spans(stack: TracedStack) -> None:
    trace, _, _ = await call(stack, "template_echo", {"text": "a"})
    stack.tree(trace, 3)
    services: dict[str, set[str]] = {}
    for service, span in list(stack.collector.spans):
        services.setdefault(span.trace_id.hex(), set()).add(service)
    assert services[trace] == {"gateway", "template-mcp"}
    # The hub listed the tools of the service at its start, which is not in the gateway's log.
    assert [found for found in services.values() if "gateway" not in found] == []


# The last, as it leaves the configuration with two replicas.
async def test_a_call_that_is_sent_again_has_a_span_for_each_try(stack: TracedStack) -> None:
    with breaking_replica(stack.gateway):
        async with caller(stack) as calling:
            tries = 0
            while tries < 2:
                trace, request, is_error = await calling.call("template_echo", {"text": "a"})
                assert not is_error
                tries = stack.gateway.logged(request)["upstream"].count(":9000")
    assert stack.tree(trace, 4) == [
        (0, "gateway", "POST /api/template/mcp"),
        (1, "gateway", "POST"),
        (1, "gateway", "POST"),
        (2, "template-mcp", "tools/call template_echo"),
    ]
    recorded, spans = shown(stack, request)
    assert recorded.outcome == "ok"
    assert [waterfall.kind(span) for span in spans] == ["gw", "lost", "gw", "svc"]
