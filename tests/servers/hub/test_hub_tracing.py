"""Tests that the hub's spans, and the requests that it sends to services, are in the caller's trace."""

from __future__ import annotations

import asyncio
import signal

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.servers.hub.asking import answer_in, headers_of, message, post
from tests.servers.hub.test_hub_protocol import written_hub
from tests.servers.kit.observing.test_kit_tracing import CALLER, TRACE, collector, values
from tests.stand_in.running import process

__all__ = ["collector"]


@pytest.mark.parametrize("modern", [True, False])
async def test_a_call_through_the_hub_is_a_chain_of_spans_down_to_the_service(
    gateway, gateway_url, tmp_path, collector, modern
):
    environment = {**written_hub(tmp_path), "DYBER_GATEWAY_URL": gateway_url}
    headers = headers_of("all", traceparent=f"00-{TRACE}-{CALLER}-01")
    sent = message("tools/call", modern=modern, name="alpha_echo", arguments={"text": "a"})
    with process("dyber_hub", OTEL_EXPORTER_OTLP_ENDPOINT=collector.base, **environment) as (child, base):
        answer = answer_in(await post(base, sent, modern=modern, headers=headers))
        assert answer["result"]["structuredContent"] == {"text": "a"}
        child.send_signal(signal.SIGTERM)
        await asyncio.to_thread(child.communicate, None, 30)
    request, passed_on = chain = sorted(collector.spans, key=lambda span: span.kind)
    assert {span.name for span in chain} == {"tools/call alpha_echo"}
    assert {span.trace_id.hex() for span in chain} == {TRACE}
    assert (request.kind, passed_on.kind) == (Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT)
    assert request.parent_span_id.hex() == CALLER
    assert passed_on.parent_span_id == request.span_id
    assert values(request.attributes)["mcp.outcome"] == "ok"
    (passed,) = gateway.calls()
    assert passed.headers["traceparent"] == f"00-{TRACE}-{passed_on.span_id.hex()}-01"


@pytest.mark.parametrize(
    ("named", "arguments"), [("nonsense", {}), ("find_tools", {"limit": 5}), ("", {})], ids=["unknown", "local", "none"]
)
async def test_what_the_hub_itself_refuses_has_its_code(gateway, gateway_url, tmp_path, collector, named, arguments):
    environment = {**written_hub(tmp_path, search=True), "DYBER_GATEWAY_URL": gateway_url}
    headers = headers_of("all", traceparent=f"00-{TRACE}-{CALLER}-01")
    sent = message("tools/call", modern=True, name="call_tool", arguments={"name": named, "arguments": arguments})
    with process("dyber_hub", OTEL_EXPORTER_OTLP_ENDPOINT=collector.base, **environment) as (child, base):
        answer = answer_in(await post(base, sent, path="/search", headers=headers))
        assert answer["result"]["isError"]
        child.send_signal(signal.SIGTERM)
        await asyncio.to_thread(child.communicate, None, 30)
    (request,) = collector.spans
    assert values(request.attributes)["mcp.outcome"] == "INVALID_ARGUMENT"
    assert not gateway.calls()
