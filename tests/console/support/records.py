"""Makes log lines and spans like those of a day, the same every time."""

from __future__ import annotations

import json
import random
import time
from datetime import UTC, datetime

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

TOOLS = {
    "clips": ["clips_search", "clips_video"],
    "notes": ["notes_search", "notes_get", "notes_feed"],
    "papers": ["papers_search_by_author_and_hardware_requirements"],
    "answers": ["answers_search", "answers_read"],
    "posts": ["posts_search", "posts_hot"],
    "code": ["search_issues", "get_file_contents"],
}
_NAMES = {
    "mcp_tool": "mcp.tool",
    "mcp_outcome": "mcp.outcome",
    "http_response_status_code": "http.response.status_code",
}
CLIENTS = ("desktop-pet", "phone", "claude-code", "cherry-studio")


def log_line(at: float, seconds: float, service: str, tool: str, client: str, **changes: object) -> str:
    """Return a line of the gateway's access log, for a request that ended at `at`."""
    entry: dict[str, object] = {
        "time": datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds"),
        "request_id": f"{random.getrandbits(128):032x}",
        "traceparent": f"00-{random.getrandbits(128):032x}-{random.getrandbits(64):016x}-01",
        "client": client,
        "service": service,
        "mcp_method": "tools/call",
        "mcp_name": tool,
        "method": "POST",
        "host": "pet.home.arpa",
        "port": 443,
        "path": f"/api/{service}/mcp",
        "protocol": "HTTP/1.1",
        "status": 200,
        "error": "",
        "bytes_in": 412,
        "bytes_out": 5324,
        "bytes": 5200,
        "seconds": round(seconds, 3),
        "upstream": "172.20.0.3:8001",
        "upstream_status": "200",
        "upstream_connect_seconds": "0.000",
        "upstream_seconds": f"{seconds:.3f}",
        "breaker": "success",
        "remote": "192.168.1.20",
        "user_agent": "DyberPet/0.7.2",
    }
    return json.dumps({**entry, **changes}, ensure_ascii=False)


def a_day(now: float) -> list[str]:
    """Return the lines of a day: `clips` breaks down at its end, `notes` loses its login, `answers` is limited."""
    source = random.Random(7)
    lines = []
    for half in range(48):
        start = now - (48 - half) * 1800
        for service, tools in TOOLS.items():
            for _ in range(source.randint(0, 4 if service != "posts" else 9)):
                seconds = source.lognormvariate(0.3, 0.9)
                at = min(start + source.random() * 1790, now - 1)
                changes: dict[str, object] = {}
                if service == "clips" and half == 47:
                    changes = {"status": 503, "error": "circuit_open", "upstream": "", "upstream_seconds": ""}
                    seconds = 0.001
                if service == "code" and source.random() < 0.05:
                    changes = {
                        "upstream": "172.20.0.8:8003, 172.20.0.9:8003",
                        "upstream_seconds": f"0.100, {seconds:.3f}",
                    }
                lines.append(
                    (at, log_line(at, seconds, service, source.choice(tools), source.choice(CLIENTS), **changes))
                )
    lines.append((now - 50, log_line(now - 50, 0.002, "posts", "", "", status=401, error="unauthorized", upstream="")))
    return [line for _, line in sorted(lines, key=lambda pair: pair[0])]


def span(trace: str, number: int, parent: int, name: str, start: float, seconds: float, **attributes: str) -> Span:
    """Return a span; the names of its attributes have `_` for their dots."""
    named = [KeyValue(key=_NAMES[key], value=AnyValue(string_value=value)) for key, value in attributes.items()]
    return Span(
        trace_id=bytes.fromhex(trace),
        span_id=number.to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        name=name,
        start_time_unix_nano=int(start * 1e9),
        end_time_unix_nano=int((start + seconds) * 1e9),
        attributes=named,
    )


def export(service: str, *spans: Span) -> bytes:
    """Return an OTLP export of a service's spans."""
    resource = Resource(attributes=[KeyValue(key="service.name", value=AnyValue(string_value=f"{service}-mcp"))])
    whole = ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=resource, scope_spans=[ScopeSpans(spans=list(spans))])]
    )
    return whole.SerializeToString()


def failing_call(service: str, tool: str, outcome: str, at: float, seconds: float) -> tuple[str, bytes]:
    """Return the line and the spans of a call that the service refused with a code."""
    trace = f"{random.getrandbits(128):032x}"
    line = log_line(at + seconds, seconds, service, tool, "desktop-pet", traceparent=f"00-{trace}-{1:016x}-01")
    spans = [
        span(trace, 2, 1, "POST /mcp", at, seconds),
        span(trace, 3, 2, f"call {tool}", at + 0.001, seconds - 0.001, mcp_tool=tool, mcp_outcome=outcome),
    ]
    return line, export(service, *spans)


def slow_call(at: float) -> tuple[str, bytes, str]:
    """Return the line, the spans and the request id of a call of `notes` that opened a page."""
    trace, request = f"{random.getrandbits(128):032x}", "b7c1e0f4a92d4c5d8f16"
    line = log_line(
        at + 8.42, 8.42, "notes", "notes_search", "desktop-pet", request_id=request,
        traceparent=f"00-{trace}-{1:016x}-01",
    )  # fmt: skip
    spans = [
        span(trace, 2, 1, "POST /mcp", at, 8.42),
        span(trace, 3, 2, "tools/call", at + 0.005, 8.41),
        span(trace, 4, 3, "call notes_search", at + 0.01, 8.4, mcp_tool="notes_search", mcp_outcome="ok"),
        span(trace, 5, 4, "queue pages", at + 0.02, 3.08),
        span(trace, 6, 4, "browser page", at + 3.1, 5.25),
        span(trace, 7, 6, "upstream search_result", at + 3.2, 1.89, http_response_status_code="200"),
        span(trace, 8, 6, "upstream notes", at + 5.3, 1.07),
    ]
    return line, export("notes", *spans), request


def now() -> float:
    """Return the time, in whole seconds."""
    return float(int(time.time()))
