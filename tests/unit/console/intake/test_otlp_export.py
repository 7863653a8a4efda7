"""Passes spans on to a collector that is there, away, or refuses them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import uvicorn
from dyber_console.intake import otlp_export
from dyber_console.intake.otlp_export import Export
from dyber_console.records.model import Call
from dyber_console.records.traces import request_span_id
from dyber_console.settings import Settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.console.support import records
from tests.stand_in.running import free_port, running

TRACE, TOLD, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "b7ad6b7169203331", "00f067aa0ba902b7"
EXPORT = records.export("zhihu", records.span(TRACE, 2, 1, "tools/call zhihu_read", 1000.0, 0.5))
CALL = Call(
    1_795_873_267.5, "request-1", TRACE, "phone", "zhihu", "zhihu_read", "service_down", 1.0, 502, path="/api/zhihu/mcp",
    mcp_method="tools/call", via="direct", upstreams=("10.0.0.2:8001", "[fd00::3]:8001"), upstream_seconds=(0.3, 0.6),
    upstream_statuses=("502", "502"), span_id=TOLD, parent_id=CALLER,
)  # fmt: skip


@dataclass
class Collector:
    """Answers with these statuses, and with 200 afterwards."""

    statuses: list[int] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    services: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        self.headers.append(dict(request.headers))
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 200:
            for group in ExportTraceServiceRequest.FromString(await request.body()).resource_spans:
                self.services += [entry.value.string_value for entry in group.resource.attributes]
                self.spans += [span for scope in group.scope_spans for span in scope.spans]
        return Response(status_code=status)


@asynccontextmanager
async def exporting_to(collector: Collector, **options: int) -> AsyncIterator[Export]:
    app = Starlette(routes=[Route("/v1/traces", collector.take, methods=["POST"])])
    with running(uvicorn.Server(uvicorn.Config(app, port=free_port(), log_level="warning"))) as base:
        made = Export(base, {"authorization": "Bearer secret-words"}, "prod", **options)
        task = asyncio.create_task(made.run())
        try:
            yield made
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_what_came_in_is_passed_on_as_it_came_with_the_headers() -> None:
    collector = Collector()
    async with exporting_to(collector) as made:
        made.take(EXPORT, 1)
        await until(lambda: made.state.sent == 1)
    (span,) = collector.spans
    assert (span.trace_id.hex(), span.name) == (TRACE, "tools/call zhihu_read")
    assert collector.headers[0]["authorization"] == "Bearer secret-words"
    assert collector.headers[0]["content-type"] == "application/x-protobuf"
    assert made.state.failing_since is None


async def test_the_gateways_spans_of_a_call_are_by_the_conventions_for_http() -> None:
    collector = Collector()
    async with exporting_to(collector) as made:
        made.take_calls([CALL])
        await until(lambda: made.state.sent == 3)
    whole, first, last = collector.spans
    assert collector.services == ["gateway", "prod"]
    assert (whole.kind, first.kind, last.kind) == (Span.SPAN_KIND_SERVER, *[Span.SPAN_KIND_CLIENT] * 2)
    assert (whole.span_id.hex(), whole.parent_span_id.hex()) == (request_span_id(CALL), CALLER)
    assert {first.parent_span_id, last.parent_span_id} == {whole.span_id}
    assert last.span_id.hex() == TOLD
    about = [
        {e.key: getattr(e.value, e.value.WhichOneof("value")) for e in span.attributes} for span in collector.spans
    ]
    assert about[0] == {
        "http.request.method": "POST", "http.response.status_code": 502, "url.path": "/api/zhihu/mcp",
        "mcp.method.name": "tools/call", "gen_ai.tool.name": "zhihu_read", "dyber.client": "phone",
        "dyber.service": "zhihu", "dyber.via": "direct", "dyber.request_id": "request-1", "error.type": "502",
    }  # fmt: skip
    assert (about[1]["server.address"], about[1]["server.port"]) == ("10.0.0.2", 8001)
    assert (about[2]["server.address"], about[2]["http.request.resend_count"]) == ("fd00::3", 1)
    assert whole.status.code == Status.STATUS_CODE_ERROR
    assert whole.start_time_unix_nano == 1_795_873_267_500_000_000
    assert whole.end_time_unix_nano - whole.start_time_unix_nano == 1_000_000_000


async def test_a_caller_that_wants_no_spans_gets_none_of_the_gateway() -> None:
    made = Export("http://collector.example", {}, "prod")
    made.take_calls([replace(CALL, sampled=False), replace(CALL, span_id="")])
    assert not made._waiting


async def test_spans_wait_for_a_collector_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp_export, "_SHORTEST_PAUSE", 0.01)
    collector = Collector([503, 429])
    async with exporting_to(collector) as made:
        made.take(EXPORT, 1)
        await until(lambda: len(collector.headers) > 1)
        await until(lambda: made.state.sent == 1)
    assert (made.state.failing_since, made.state.dropped) == (None, 0)
    assert len(collector.spans) == 1


async def test_what_a_collector_refuses_is_counted_and_not_sent_again(caplog: pytest.LogCaptureFixture) -> None:
    collector = Collector([401, 401])
    async with exporting_to(collector) as made:
        made.take(EXPORT, 2)
        made.take(EXPORT, 3)
        await until(lambda: made.state.dropped == 5)
        assert made.state.failing_since is not None
        assert (made.state.reason, made.state.host) == ("HTTP 401", "127.0.0.1")
        made.take(EXPORT, 1)
        await until(lambda: made.state.sent == 1)
    assert made.state.failing_since is None
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1
    assert "secret-words" not in caplog.text


async def test_more_than_may_wait_is_dropped_and_counted() -> None:
    made = Export("http://collector.example", {}, "prod", most_waiting=2 * len(EXPORT))
    for _ in range(4):
        made.take(EXPORT, 7)
    assert made.state.dropped == 14


async def test_what_waits_when_the_console_stops_is_sent() -> None:
    collector = Collector()
    async with exporting_to(collector) as made:
        await asyncio.sleep(0)
        made.take(EXPORT, 1)
    assert len(collector.spans) == 1


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("https://a.example", "https://a.example/v1/traces"),
        ("https://a.example/otlp/", "https://a.example/otlp/v1/traces"),
        ("https://a.example/x/v1/traces", "https://a.example/x/v1/traces"),
    ],
)
def test_the_path_of_spans_is_added_to_the_address(endpoint: str, url: str) -> None:
    assert Export(endpoint, {}, "prod")._url == url


def environment(tmp_path: Path, headers: str, **changes: str) -> dict[str, str]:
    (tmp_path / "hash").write_text("x")
    (tmp_path / "headers").write_text(headers)
    return {
        "DYBER_PASSWORD_HASH_FILE": str(tmp_path / "hash"), "DYBER_EXPORT_ENDPOINT": "https://a.example:4318",
        "DYBER_EXPORT_HEADERS_FILE": str(tmp_path / "headers"), **changes,
    }  # fmt: skip


def test_address_and_headers_are_read_and_not_shown(tmp_path: Path) -> None:
    settings = Settings.from_environment(environment(tmp_path, json.dumps({"x-token": "secret-words"})))
    assert settings.export_endpoint == "https://a.example:4318"
    assert settings.export_headers == {"x-token": "secret-words"}
    assert "secret-words" not in repr(settings)


@pytest.mark.parametrize("headers", ["secret-words", '["secret-words"]', '{"a": 1}'])
def test_headers_that_cannot_be_read_are_not_shown(tmp_path: Path, headers: str) -> None:
    with pytest.raises(ValueError, match="DYBER_EXPORT_HEADERS_FILE") as raised:
        Settings.from_environment(environment(tmp_path, headers))
    assert "secret-words" not in str(raised.value)


@pytest.mark.parametrize("endpoint", ["collector:4318", "ftp://a.example", "https://", "https://a:x", "/v1/traces"])
def test_an_address_that_cannot_be_used_is_named(tmp_path: Path, endpoint: str) -> None:
    with pytest.raises(ValueError, match="DYBER_EXPORT_ENDPOINT"):
        Settings.from_environment(environment(tmp_path, "{}", DYBER_EXPORT_ENDPOINT=endpoint))
