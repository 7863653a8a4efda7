"""Writes the log as lines of JSON on standard output, each with the ids of its request."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_json
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from dyber_kit.observing.log_shipping import shipper


@dataclass(frozen=True)
class RequestInfo:
    """Holds the ids and the client of a request; "-" where a header was absent or malformed."""

    request_id: str = "-"
    traceparent: str = "-"
    client: str = "-"


NO_REQUEST = RequestInfo()

current_request: contextvars.ContextVar[RequestInfo] = contextvars.ContextVar("request", default=NO_REQUEST)


class _RequestFields(logging.Filter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def filter(self, record: logging.LogRecord) -> bool:
        info = current_request.get()
        record.service = self._service
        for name in ("request_id", "traceparent", "client"):
            if not hasattr(record, name):
                setattr(record, name, getattr(info, name))
        return True


_RESERVED = [*RESERVED_ATTRS, "color_message"]
_RENAMED = {"levelname": "level", "name": "logger"}


class _JsonLines(JsonFormatter):
    """Writes the lines of JsonFormatter; those without a traceback in less time, as each call has two."""

    _own_fields = frozenset([*_RESERVED, "service", "request_id", "traceparent", "client"])

    def format(self, record: logging.LogRecord) -> str:
        if record.exc_info or record.exc_text or record.stack_info or not isinstance(record.msg, str):
            return super().format(record)
        values = record.__dict__
        line = {
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "service": values.get("service"),
            "request_id": values.get("request_id"),
            "traceparent": values.get("traceparent"),
            "client": values.get("client"),
        }
        for name in [name for name in values if name not in self._own_fields and not name.startswith("_")]:
            line[name] = values[name]
        line["time"] = datetime.fromtimestamp(record.created, UTC).isoformat()
        try:
            return to_json(line).decode()
        except (PydanticSerializationError, UnicodeEncodeError):
            return super().format(record)


class _Lines(logging.StreamHandler[TextIO]):
    """Writes lines together that are logged in one turn of the event loop, because each write takes long.

    A process that is killed in that turn loses them. Outside of an event loop each line is written at once.
    """

    def __init__(self, service: str, stream: TextIO) -> None:
        super().__init__(stream)
        self._service = service
        self._waiting: list[str] = []
        self._flushes_in: asyncio.AbstractEventLoop | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            line = self.format(record)
            shipper.take(record.created, record.levelno, record.levelname, line)
            self._write(line)
        except Exception:
            self.handleError(record)

    def event(self, logger: str, message: str, fields: Mapping[str, Any]) -> None:
        """Write what `emit` writes of a record at INFO whose fields are texts and numbers, without making one."""
        info, now = current_request.get(), datetime.now(UTC)
        line = {
            "level": "INFO",
            "logger": logger,
            "message": message,
            "service": self._service,
            "request_id": info.request_id,
            "traceparent": info.traceparent,
            "client": info.client,
            **fields,
            "time": now.isoformat(),
        }
        try:
            written = to_json(line).decode()
        except (PydanticSerializationError, UnicodeEncodeError):
            logging.getLogger(logger).info(message, extra=dict(fields))
            return
        shipper.take(now.timestamp(), logging.INFO, "INFO", written)
        with self.lock or nullcontext():
            self._write(written)

    def flush(self) -> None:
        """Write the lines that wait."""
        with self.lock or nullcontext():
            self._flushes_in = None
            lines, self._waiting = self._waiting, []
            if lines:
                self.stream.write("".join(lines))
            super().flush()

    def _flush_turn(self) -> None:
        try:
            self.flush()
        except Exception:
            self.handleError(logging.makeLogRecord({"msg": "lines not written"}))

    def _write(self, line: str) -> None:
        if not line.isascii():
            # Half a character cannot be written, but its escape can, which JSON knows.
            line = line.encode(errors="backslashreplace").decode()
        self._waiting.append(f"{line}\n")
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._flush_turn()
            return
        if self._flushes_in is not loop:
            self._flushes_in = loop
            loop.call_soon(self._flush_turn)


def log_event(logger: logging.Logger, message: str, fields: Mapping[str, Any]) -> None:
    """Log what happens in every call, at INFO; in the form of all lines, but in half of the time.

    Args:
        logger: The logger.
        message: The same word for all events of a kind.
        fields: More keys of the line, with texts and numbers.
    """
    if not logger.isEnabledFor(logging.INFO):
        return
    handlers = logging.root.handlers
    if len(handlers) == 1 and isinstance(handlers[0], _Lines) and not logger.handlers:
        handlers[0].event(logger.name, message, fields)
    else:
        logger.info(message, extra=fields)


def configure_logging(service: str, level: str) -> None:
    """Send every log record of this process to stdout as one JSON object per line."""
    handler = _Lines(service, sys.stdout)
    handler.setFormatter(
        _JsonLines(
            "%(levelname)s %(name)s %(message)s %(service)s %(request_id)s %(traceparent)s %(client)s",
            rename_fields=_RENAMED,
            timestamp="time",
            json_ensure_ascii=False,
            reserved_attrs=_RESERVED,
        )
    )
    handler.addFilter(_RequestFields(service))
    # Lines show neither the place in the code nor the thread or process, which take time to find out for each line.
    logging._srcfile = None  # As Python's documentation on logging recommends
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # At INFO, these two repeat the kit's own lines about calls and requests.
    for chatty in ("mcp", "httpx2"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))


def without_values(error: Exception) -> BaseException:
    """Return the exception as the log may show it, without the refused values that Pydantic's messages repeat."""
    if not isinstance(error, ValidationError):
        return error
    places = [
        f"{'.'.join(str(part) for part in entry['loc'])}: {entry['type']}"
        for entry in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return ValueError(f"{error.title}: {'; '.join(places)[:500]}").with_traceback(error.__traceback__)
