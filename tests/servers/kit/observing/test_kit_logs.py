"""Tests that log lines are written alike by the kit's shorter way and by the library's formatter."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from dyber_kit.observing.logs import NO_REQUEST, configure_logging, log_event
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


def written_of(capsys) -> list[dict[str, Any]]:
    """Return the lines written so far, without their times."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [{name: value for name, value in line.items() if name != "time"} for line in lines]


def test_an_event_is_written_as_the_same_record_is(capsys, request):
    request.getfixturevalue("handler")
    logger, fields = logging.getLogger("dyber.calls"), {"tool": "echo", "outcome": "ok", "seconds": 0.25}
    log_event(logger, "call", fields)
    logger.info("call", extra=fields)
    event, same = written_of(capsys)
    assert list(event.items()) == list(same.items())


def test_an_event_with_half_a_character_is_written_with_its_escape(capsys, request):
    request.getfixturevalue("handler")
    log_event(logging.getLogger("dyber.calls"), "call", {"tool": "半 \ud800"})
    assert [line["tool"] for line in written_of(capsys)] == ["半 \ud800"]


def test_an_event_reaches_other_handlers_too(handler, caplog):
    assert len(logging.getLogger().handlers) > 1
    log_event(logging.getLogger("dyber.calls"), "call", {"tool": "echo"})
    assert [(record.message, record.tool) for record in caplog.records] == [("call", "echo")]


async def test_the_lines_of_one_turn_of_the_event_loop_are_written_together_and_in_order(capsys, request, monkeypatch):
    handler = request.getfixturevalue("handler")
    writes: list[str] = []
    monkeypatch.setattr(handler.stream, "write", writes.append)
    logger = logging.getLogger("dyber.calls")
    log_event(logger, "first", {})
    logger.warning("second")
    assert writes == []
    await asyncio.sleep(0)
    assert [json.loads(line)["message"] for line in writes[0].splitlines()] == ["first", "second"]
    assert len(writes) == 1
    log_event(logger, "third", {})
    handler.flush()
    assert json.loads(writes[1])["message"] == "third"


def test_a_line_that_waited_when_its_event_loop_ended_is_not_lost(capsys, request):
    request.getfixturevalue("handler")
    logger = logging.getLogger("dyber.calls")
    loop = asyncio.new_event_loop()

    async def end_at_once() -> None:
        log_event(logger, "first", {})
        loop.stop()

    task = loop.create_task(end_at_once())
    with pytest.raises(RuntimeError):
        loop.run_until_complete(asyncio.wait_for(asyncio.shield(task), 5))
    loop.close()
    log_event(logger, "second", {})
    assert [line["message"] for line in written_of(capsys)] == ["first", "second"]
