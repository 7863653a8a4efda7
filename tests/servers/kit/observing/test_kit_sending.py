"""Tests that spans are encoded as OTLP says, and that a collector that is away costs little and loses little."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import pytest
import uvicorn
from dyber_kit.observing import sending, tracing
from dyber_kit.observing.otlp import export_request, resource
from dyber_kit.observing.sending import Sender
from dyber_kit.observing.tracing import Kind, Span
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Received
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.servers.kit.observing.test_kit_tracing import values
from tests.stand_in.running import free_port, running
from tests.support.patching import replace_in_this_thread

TRACE, PARENT = bytes(range(16)), bytes(range(8))


def finished(name: str = "a", **attributes: tracing.Value) -> Span:
    span = Span(name, TRACE, PARENT, Kind.SERVER, attributes)
    span.end = span.start + 5
    return span


def test_a_span_is_read_back_as_it_was_made() -> None:
    attributes = {"text": "é" * 200, "whole": -3, "large": 2**40, "part": 0.5, "yes": True, "one": 1, "empty": ""}
    span = finished("tools/call 查询", **attributes)
    span.fail("TIMEOUT")
    sent = ExportTraceServiceRequest.FromString(export_request(resource({"service.name": "x-mcp"}), [span, finished()]))
    (group,) = sent.resource_spans
    assert values(group.resource.attributes) == {"service.name": "x-mcp"}
    first, second = group.scope_spans[0].spans
    assert group.scope_spans[0].scope.name == "dyber_kit"
    assert (first.trace_id, first.span_id, first.parent_span_id) == (TRACE, span.span_id, PARENT)
    assert (first.name, first.kind) == ("tools/call 查询", Received.SPAN_KIND_SERVER)
    assert (first.start_time_unix_nano, first.end_time_unix_nano) == (span.start, span.start + 5)
    assert values(first.attributes) == {**attributes, "error.type": "TIMEOUT"}
    assert [type(value) for value in values(first.attributes).values()] == [str, int, int, float, bool, int, str, str]
    assert (first.status.code, second.status.code) == (Status.STATUS_CODE_ERROR, Status.STATUS_CODE_UNSET)
    assert not second.attributes


def test_a_span_without_a_parent_has_none() -> None:
    span = Span("a")
    (group,) = ExportTraceServiceRequest.FromString(export_request(resource({}), [span])).resource_spans
    (read,) = group.scope_spans[0].spans
    assert (len(read.trace_id), len(read.span_id), read.parent_span_id) == (16, 8, b"")


@dataclass
class Collector:
    """Answers with these statuses, and with 200 afterwards."""

    statuses: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    requests: int = 0
    largest: int = 0

    async def take(self, request: Request) -> Response:
        self.requests += 1
        self.largest = max(self.largest, len(await request.body()))
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 200:
            for group in ExportTraceServiceRequest.FromString(await request.body()).resource_spans:
                self.names += [span.name for scope in group.scope_spans for span in scope.spans]
        return Response(status_code=status)


@asynccontextmanager
async def sending_to(collector: Collector, most_waiting: int = 100) -> AsyncIterator[Sender]:
    app = Starlette(routes=[Route("/v1/traces", collector.take, methods=["POST"])])
    with running(uvicorn.Server(uvicorn.Config(app, port=free_port(), log_level="warning"))) as base:
        sender = Sender(f"{base}/v1/traces", {}, {}, 0.01, most_waiting)
        async with sender.running():
            yield sender


@dataclass
class Said:
    """Is what a sender logged: the level of each line, its text, and its fields."""

    level: str
    text: str
    fields: dict[str, object]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[Said]:
    """The log lines of this thread's sender; the servers of other tests run in threads of this process."""
    lines: list[Said] = []
    for level in ("info", "warning"):
        noting = partial(lambda level, text, extra: lines.append(Said(level, text, extra)), level)
        replace_in_this_thread(monkeypatch, sending.logger, level, noting)
    return lines


async def until(condition) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_spans_wait_for_a_collector_that_is_away(monkeypatch, said) -> None:
    monkeypatch.setattr(sending, "_SHORTEST_PAUSE_SECONDS", 0.01)
    collector = Collector([503, 429, 502])
    async with sending_to(collector) as sender:
        for number in range(3):
            sender.take(finished(f"{number}"))
        await until(lambda: len(collector.names) == 3)
    assert collector.names == ["0", "1", "2"]
    assert collector.requests == 4
    assert [line.level for line in said] == ["warning", "info"]


async def test_what_a_collector_refuses_is_not_sent_again() -> None:
    collector = Collector([400])
    async with sending_to(collector) as sender:
        sender.take(finished("refused"))
        await until(lambda: collector.requests == 1)
        sender.take(finished("next"))
        await until(lambda: bool(collector.names))
    assert collector.names == ["next"]


async def test_no_request_is_larger_than_the_console_takes() -> None:
    collector = Collector()
    async with sending_to(collector) as sender:
        for number in range(100):
            sender.take(finished(f"{number}", error=f"{number}" + "x" * 40_000))
        await until(lambda: len(collector.names) == 100)
    assert collector.names == [f"{number}" for number in range(100)]
    assert collector.largest <= 2**20
    assert sender.dropped == 0


async def test_more_spans_than_may_wait_are_dropped_and_counted(said) -> None:
    collector = Collector()
    async with sending_to(collector, most_waiting=5) as sender:
        for number in range(8):
            sender.take(finished(f"{number}"))
        assert sender.dropped == 3
        await until(lambda: len(collector.names) == 5)
    assert collector.names == ["0", "1", "2", "3", "4"]
    assert [line.fields["dropped"] for line in said] == [3]


async def test_spans_that_cannot_be_sent_are_dropped_and_counted_and_the_next_are_sent(monkeypatch, said) -> None:
    def encode(about: bytes, spans: list[Span]) -> bytes:
        if any(span.name == "odd" for span in spans):
            raise RuntimeError
        return export_request(about, spans)

    monkeypatch.setattr(sending, "export_request", encode)
    collector = Collector()
    async with sending_to(collector) as sender:
        sender.take(finished("odd"))
        await until(lambda: sender.dropped == 1)
        sender.take(finished("next"))
        await until(lambda: bool(collector.names))
        sender.take(finished("odd"))
    assert collector.names == ["next"]
    assert [line.level for line in said] == ["warning", "info", "warning"]
    assert sender.dropped == 1


async def test_what_waits_at_a_stop_is_sent() -> None:
    collector = Collector()
    async with sending_to(collector) as sender:
        sender.take(finished("last"))
    assert collector.names == ["last"]


async def test_the_variables_of_opentelemetry_are_read(monkeypatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic%20x, other=1")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=prod,service.name=a")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "b")
    sender = Sender.from_environment("x", "2")
    assert sender._head % 7 == (
        b"POST /v1/traces HTTP/1.1\r\nhost: collector:4318\r\nconnection: close\r\n"
        b"content-type: application/x-protobuf\r\nauthorization: Basic x\r\nother: 1\r\ncontent-length: 7\r\n\r\n"
    )
    sent = ExportTraceServiceRequest.FromString(export_request(sender._resource, [finished()]))
    about = values(sent.resource_spans[0].resource.attributes)
    assert (about["service.name"], about["service.version"]) == ("b", "2")
    assert about["deployment.environment.name"] == "prod"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://other:4318/here")
    assert (Sender.from_environment("x", "2")._head % 7).startswith(b"POST /here HTTP/1.1\r\nhost: other:4318\r\n")


@pytest.mark.parametrize("value", ["-1", "x"])
async def test_a_number_that_cannot_be_used_is_named(monkeypatch, value) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", value)
    with pytest.raises(ValueError, match="OTEL_BSP_SCHEDULE_DELAY"):
        Sender.from_environment("x", "1")


async def test_a_header_cannot_begin_another_line(monkeypatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/100%25")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "a=b%0D%0Ainjected: 1")
    head = Sender.from_environment("x", "1")._head % 0
    assert b"\r\na: b injected: 1\r\n" in head
    assert head.startswith(b"POST /100%25/v1/traces HTTP/1.1\r\n")
    assert head.count(b"\r\n\r\n") == 1


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1\r\n\r\n", b"x" * 100_000]
)
async def test_an_answer_that_is_none_of_http_is_a_collector_that_is_away(said, answer) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sender = Sender(f"http://127.0.0.1:{port}/v1/traces", {}, {}, 0.01, 10)
    async with server, sender.running():
        sender.take(finished("a"))
        await until(lambda: bool(said))
    assert [line.text for line in said] == ["spans are not taken; calls are not affected"]


async def test_a_collector_with_tls_is_verified(said, tmp_path) -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sender = Sender(f"https://127.0.0.1:{port}/v1/traces", {}, {}, 0.01, 10)
    assert sender._tls is not None and sender._tls.check_hostname
    async with server, sender.running():
        sender.take(finished("a"))
        await until(lambda: bool(said))
