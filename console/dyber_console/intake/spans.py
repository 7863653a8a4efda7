"""Takes spans and lines of logs over OTLP/HTTP, as protobuf or JSON."""

from __future__ import annotations

import asyncio
import base64
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SentSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dyber_console.intake.logs import logs_from_json, logs_from_protobuf
from dyber_console.records.logs import LogLine
from dyber_console.records.model import Span

_LONGEST_BODY = 2**20
#: Spans of an export that are recorded, and attributes of a span that are read; more are ignored.
_MOST_SPANS = 2000
_MOST_ATTRIBUTES = 200
#: Objects of a JSON body, which take much more memory and time than their bytes.
_MOST_OBJECTS = 50_000
#: Bodies that are received at a time, and how long each may take; senders try again after a 503.
_MOST_RECEIVING = 16
_RECEIVING_SECONDS = 10.0
_LONGEST_TEXT = 200
_PROTOBUF = "application/x-protobuf"
_NANOSECONDS = 1_000_000_000
_TRACE_BYTES, _SPAN_BYTES = 16, 8
#: Attributes that pages show; all others are dropped, as arguments and answers are not stored.
_SHOWN = (
    "http.response.status_code", "server.address", "http.request.method", "cache.hit", "queue", "error.type",
    "mcp.method.name", "dyber.settings",
)  # fmt: skip
_KINDS = {SentSpan.SPAN_KIND_SERVER: "server", SentSpan.SPAN_KIND_CLIENT: "client"}
#: A call inside another, whose outcome is not that of the request.
_INNER_CALL = "execute_tool "
#: How a call ended that was refused before a tool ran, by the code of JSON-RPC.
_REFUSALS = {"-32602": "unknown_tool", "-32603": "INTERNAL"}
#: What a service's name has at its end in its spans.
_SUFFIX = "-mcp"


class BodyTooLarge(ValueError):
    """Says that a body is longer than the console takes."""


def spans_app(
    take: Callable[[Sequence[Span]], None],
    pass_on: Callable[[bytes, int], None] | None = None,
    take_logs: Callable[[Sequence[LogLine]], None] = lambda lines: None,
) -> Starlette:
    """Return the application that takes spans at /v1/traces, and lines of logs at /v1/logs.

    Args:
        take: Gets the spans as they are recorded.
        pass_on: Gets each export as protobuf, with everything in it, and the number of its spans.
        take_logs: Gets the lines of logs.
    """

    def traces(body: bytes, is_json: bool) -> None:
        export = export_from_json(body) if is_json else export_from_protobuf(body)
        spans = spans_of(export)
        take(spans)
        if pass_on is not None:
            pass_on(export.SerializeToString() if is_json else body, len(spans))

    def logs(body: bytes, is_json: bool) -> None:
        take_logs(logs_from_json(body) if is_json else logs_from_protobuf(body))

    receiving: set[Request] = set()

    def route(path: str, read: Callable[[bytes, bool], None]) -> Route:
        async def receive(request: Request) -> Response:
            if len(receiving) >= _MOST_RECEIVING:
                return _busy()
            receiving.add(request)
            try:
                return await _received(request, read)
            finally:
                receiving.discard(request)

        return Route(path, receive, methods=["POST"])

    return Starlette(routes=[route("/v1/traces", traces), route("/v1/logs", logs)])


async def _received(request: Request, read: Callable[[bytes, bool], None]) -> Response:
    """Give the body of an export to a function, with whether it is JSON, and return the answer."""
    is_json = request.headers.get("content-type", "").partition(";")[0].strip() == "application/json"
    try:
        async with asyncio.timeout(_RECEIVING_SECONDS):
            received = await _body(request)
        # From here to the end nothing else runs, so that one export at a time is unpacked and read.
        body = _unpacked(received, request.headers.get("content-encoding", "identity"))
        if is_json and body.count(b"{") > _MOST_OBJECTS:
            raise BodyTooLarge
        read(body, is_json)
    except TimeoutError:
        return _busy()
    except BodyTooLarge:
        return JSONResponse({"message": f"the body is longer than {_LONGEST_BODY} bytes; send less"}, 413)
    except (ValueError, RecursionError, TypeError, AttributeError, DecodeError, json_format.ParseError, zlib.error):
        return JSONResponse({"message": "the body is no OTLP export"}, 400)
    return JSONResponse({}) if is_json else Response(b"", media_type=_PROTOBUF)


def _busy() -> Response:
    return JSONResponse({"message": "too many exports come in; send it again"}, 503, {"Retry-After": "1"})


async def _body(request: Request) -> bytes:
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > _LONGEST_BODY:
            raise BodyTooLarge
    return bytes(received)


def _unpacked(received: bytes, encoding: str) -> bytes:
    if encoding != "gzip":
        return received
    unpacking = zlib.decompressobj(wbits=31)
    content = unpacking.decompress(received, _LONGEST_BODY)
    if unpacking.unconsumed_tail:
        raise BodyTooLarge
    return content


def export_from_protobuf(body: bytes) -> ExportTraceServiceRequest:
    """Return an export; raise DecodeError when it is none."""
    return ExportTraceServiceRequest.FromString(body)


def export_from_json(body: bytes) -> ExportTraceServiceRequest:
    """Return an export in OTLP's JSON, whose ids are hexadecimal; raise ValueError when it is none."""
    content = json.loads(body)
    for resource in content.get("resourceSpans", []):
        for scope in resource.get("scopeSpans", []):
            for span in scope.get("spans", []):
                for name in ("traceId", "spanId", "parentSpanId"):
                    if name in span:
                        span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
                span.pop("links", None)
    return json_format.ParseDict(content, ExportTraceServiceRequest(), ignore_unknown_fields=True)


def spans_of(export: ExportTraceServiceRequest) -> list[Span]:
    """Return the first spans of an export as they are recorded, with few of their attributes."""
    return [_span(span, service) for span, service in islice(_sent_spans(export), _MOST_SPANS)]


def _sent_spans(export: ExportTraceServiceRequest) -> Iterator[tuple[SentSpan, str]]:
    """Yield each span that has ids of the right length, with its service."""
    for resource in export.resource_spans:
        service = _attributes(resource.resource.attributes).get("service.name", "").removesuffix(_SUFFIX)
        for scope in resource.scope_spans:
            for span in scope.spans:
                if len(span.trace_id) == _TRACE_BYTES and len(span.span_id) == _SPAN_BYTES:
                    yield span, service


def _span(sent: SentSpan, service: str) -> Span:
    attributes = _attributes(sent.attributes)
    tool = attributes.get("gen_ai.tool.name") or attributes.get("mcp.tool", "")
    outcome = "" if sent.name.startswith(_INNER_CALL) else _outcome(attributes)
    is_call = bool(tool and outcome)
    details = {name: attributes[name] for name in _SHOWN if name in attributes}
    if sent.kind in _KINDS:
        details["kind"] = _KINDS[sent.kind]
    return Span(
        trace_id=sent.trace_id.hex(),
        span_id=sent.span_id.hex(),
        parent_id=sent.parent_span_id[:_SPAN_BYTES].hex(),
        service=service,
        name=sent.name[:_LONGEST_TEXT],
        start=sent.start_time_unix_nano / _NANOSECONDS,
        seconds=max(0, sent.end_time_unix_nano - sent.start_time_unix_nano) / _NANOSECONDS,
        failed=sent.status.code == Status.STATUS_CODE_ERROR,
        tool=tool if is_call else "",
        outcome=outcome if is_call else "",
        details=details,
    )


def _outcome(attributes: dict[str, str]) -> str:
    """Return how a call ended: as its tool said, or by the code with which it was refused before; "" if unknown."""
    code = attributes.get("rpc.response.status_code")
    if "mcp.outcome" in attributes or code is None or attributes.get("mcp.method.name") != "tools/call":
        return attributes.get("mcp.outcome", "")
    return _REFUSALS.get(code, "protocol_error")


def _attributes(sent: Sequence[KeyValue]) -> dict[str, str]:
    return {entry.key: _value(entry.value)[:_LONGEST_TEXT] for entry in islice(sent, _MOST_ATTRIBUTES)}


def _value(value: AnyValue) -> str:
    kind = value.WhichOneof("value")
    content: Any = getattr(value, kind) if kind in ("string_value", "int_value", "double_value", "bool_value") else ""
    return str(content)
