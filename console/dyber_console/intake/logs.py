"""Reads lines of services' logs from OTLP exports, as JSON or protobuf."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from dyber_console.records.logs import LogLine
from dyber_console.records.model import storable

_LONGEST_MESSAGE = 600
_LONGEST_VALUE = 200
_MOST_FIELDS = 20
#: Lines of an export that are recorded; more are ignored.
_MOST_LINES = 2000
_NANOSECONDS = 1_000_000_000
#: What a service's name has at its end.
_SUFFIX = "-mcp"
#: Fields of the services' lines that are shown elsewhere, or say the same for every line.
_LEFT_OUT = frozenset({"level", "logger", "message", "service", "request_id", "traceparent", "time", "taskName"})


def logs_from_protobuf(body: bytes) -> list[LogLine]:
    """Return the lines of an export; raise DecodeError when it is none."""
    return _lines(ExportLogsServiceRequest.FromString(body))


def logs_from_json(body: bytes) -> list[LogLine]:
    """Return the lines of an export in OTLP's JSON; raise ValueError when it is none."""
    content = json.loads(body)
    for resource in content.get("resourceLogs", []):
        for scope in resource.get("scopeLogs", []):
            for record in scope.get("logRecords", []):
                record.pop("traceId", None)
                record.pop("spanId", None)
    return _lines(json_format.ParseDict(content, ExportLogsServiceRequest(), ignore_unknown_fields=True))


def _lines(export: ExportLogsServiceRequest) -> list[LogLine]:
    return [_line(record, service) for record, service in islice(_records(export), _MOST_LINES)]


def _records(export: ExportLogsServiceRequest) -> Iterator[tuple[LogRecord, str]]:
    """Yield each record with its service."""
    for resource in export.resource_logs:
        names = [each.value.string_value for each in resource.resource.attributes if each.key == "service.name"]
        service = (names[0] if names else "").removesuffix(_SUFFIX)
        if service:
            for scope in resource.scope_logs:
                for record in scope.log_records:
                    yield record, service


def _line(record: LogRecord, service: str) -> LogLine:
    """Return a line; one of the kit is a JSON object as text, others are text."""
    body = record.body.string_value
    content = _object(body)
    message = str(content.get("message", "")) if content else body
    request = content.get("request_id")
    fields = [(name, value) for name, value in content.items() if name not in _LEFT_OUT and value not in ("-", None)]
    return LogLine(
        at=record.time_unix_nano / _NANOSECONDS,
        service=service,
        severity=int(record.severity_number),
        level=storable((record.severity_text or str(content.get("level", "")))[:12].upper()),
        message=storable(message[:_LONGEST_MESSAGE]),
        request_id=_text(request) if request not in ("-", None) else "",
        fields={storable(name[:40]): _text(value) for name, value in fields[:_MOST_FIELDS]},
    )


def _object(text: str) -> dict[str, Any]:
    if not text.startswith("{"):
        return {}
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return {"message": text}
    return content if isinstance(content, dict) else {}


def _text(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return storable(text[:_LONGEST_VALUE])


def newest(lines: Sequence[LogLine], most: int) -> list[LogLine]:
    """Return the last lines of each service, at most `most` each, in the order in which they came."""
    kept: list[LogLine] = []
    counts: dict[str, int] = {}
    for line in reversed(lines):
        counts[line.service] = counts.get(line.service, 0) + 1
        if counts[line.service] <= most:
            kept.append(line)
    kept.reverse()
    return kept
