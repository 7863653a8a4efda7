"""Reads lines of logs from OTLP exports."""

from __future__ import annotations

import json
from typing import Any

import pytest
from dyber_console.intake.logs import logs_from_json, logs_from_protobuf, newest
from dyber_console.intake.spans import _LONGEST_BODY
from dyber_console.records.logs import LogLine
from dyber_kit.observing import log_shipping
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest


def export(body: str, service: str = "notes-mcp", **record: Any) -> dict[str, Any]:
    entry = {"timeUnixNano": "1700000000250000000", "severityNumber": 9, "severityText": "INFO", **record}
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
                "scopeLogs": [{"logRecords": [{**entry, "body": {"stringValue": body}}]}],
            }
        ]
    }


LINE = json.dumps(
    {
        "level": "INFO", "logger": "dyber_kit", "message": "call", "service": "notes", "request_id": "r-1",
        "traceparent": "-", "client": "phone", "tool": "notes_search", "seconds": 0.31, "time": "2026-11-28T21:41:07",
    }
)  # fmt: skip


def test_a_line_of_the_kit_has_its_message_request_and_fields() -> None:
    found = logs_from_json(json.dumps(export(LINE)).encode())
    assert found == [
        LogLine(
            1_700_000_000.25, "notes", 9, "INFO", "call", "r-1",
            {"client": "phone", "tool": "notes_search", "seconds": "0.31"},
        )
    ]  # fmt: skip


def test_protobuf_says_the_same() -> None:
    message = json_format.ParseDict(export(LINE), ExportLogsServiceRequest())
    assert logs_from_protobuf(message.SerializeToString()) == logs_from_json(json.dumps(export(LINE)).encode())


@pytest.mark.parametrize("body", ["plain text", "{broken", "[1]"])
def test_another_line_is_shown_as_it_is(body: str) -> None:
    (line,) = logs_from_json(json.dumps(export(body)).encode())
    assert (line.message, line.fields, line.request_id) == (body, {}, "")


def test_a_line_without_a_request_has_none() -> None:
    (line,) = logs_from_json(json.dumps(export(LINE.replace("r-1", "-"))).encode())
    assert line.request_id == ""


def test_lines_of_no_service_are_left_out() -> None:
    assert logs_from_json(json.dumps(export("text", service="")).encode()) == []


def test_long_lines_are_cut() -> None:
    (line,) = logs_from_json(json.dumps(export(json.dumps({"message": "m" * 9000, "field": "f" * 9000}))).encode())
    assert (len(line.message), len(line.fields["field"])) == (600, 200)


@pytest.mark.parametrize(("number", "look"), [(5, "info"), (9, "info"), (13, "warning"), (17, "error"), (21, "error")])
def test_a_line_looks_like_its_level(number: int, look: str) -> None:
    assert LogLine(0, "notes", number, "", "").look == look


def test_of_a_flood_the_last_lines_of_each_service_stay() -> None:
    lines = [LogLine(at, "notes" if at % 2 else "posts", 9, "INFO", str(at)) for at in range(10)]
    assert [line.message for line in newest(lines, 2)] == ["6", "7", "8", "9"]


def test_half_a_surrogate_pair_is_replaced_as_it_cannot_be_stored() -> None:
    body = r'{"level": "\ud83d", "message": "\ud83d", "request_id": "\ud83d", "\ud83d": "\ud83d"}'
    (line,) = logs_from_json(json.dumps(export(body, severityText="")).encode())
    assert (line.level, line.message, line.request_id, line.fields) == ("?", "?", "?", {"?": "?"})


def test_of_very_many_lines_in_an_export_the_first_are_taken() -> None:
    content = export("text")
    scope = content["resourceLogs"][0]["scopeLogs"][0]
    scope["logRecords"] *= 3000
    assert len(logs_from_json(json.dumps(content).encode())) == 2000


def test_a_full_request_of_a_service_fits() -> None:
    lines = [(1e9, 30, "WARNING", "长" * log_shipping._LONGEST_LINE)] * log_shipping._MOST_SENT
    body = json.dumps(log_shipping.export("notes", lines), ensure_ascii=False).encode()
    assert len(body) <= _LONGEST_BODY
    assert len(logs_from_json(body)) == log_shipping._MOST_SENT
