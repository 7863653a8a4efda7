"""Tests that log lines are written alike by the kit's shorter way and by the library's formatter."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from dyber_kit.observing.logs import NO_REQUEST, configure_logging
from pythonjsonlogger.json import JsonFormatter


@pytest.fixture
def handler():
    """Return the handler that the kit installs; the root logger is put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging("demo", "info")
    try:
        yield root.handlers[0]
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def record(message: Any = "call", *arguments: Any, **extra: Any) -> logging.LogRecord:
    return logging.getLogger("dyber.calls").makeRecord(
        "dyber.calls", logging.INFO, "calls.py", 1, message, arguments, None, "run", extra
    )


@pytest.mark.parametrize(
    "made",
    [
        record(),
        record("你好 %s", "😀\n"),
        record(tool="echo", outcome="ok", seconds=0.25, nothing=None, items=[1, {"a": True}]),
        record(client="its own", request_id="r"),
        record(_hidden=1, color_message="coloured"),
    ],
)
def test_a_line_has_the_fields_and_order_of_the_librarys_formatter(handler, made):
    handler.filter(made)
    line, librarys = handler.format(made), JsonFormatter.format(handler.formatter, made)
    assert list(json.loads(line).items()) == list(json.loads(librarys).items())


@pytest.mark.parametrize("made", [record({"message": "of a library"}), record(value=object())])
def test_what_the_shorter_way_cannot_write_is_left_to_the_librarys_formatter(handler, made):
    handler.filter(made)
    assert handler.format(made) == JsonFormatter.format(handler.formatter, made)


def test_a_line_outside_requests_has_placeholders(handler):
    made = record()
    handler.filter(made)
    assert json.loads(handler.format(made))["request_id"] == NO_REQUEST.request_id
