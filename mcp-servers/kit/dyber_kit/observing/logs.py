"""Writes the log as lines of JSON on standard output, each with the ids of its request."""

from __future__ import annotations

import contextvars
import logging
import sys
from dataclasses import dataclass

from pydantic import ValidationError
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter


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


def configure_logging(service: str, level: str) -> None:
    """Send every log record of this process to stdout as one JSON object per line."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        JsonFormatter(
            "%(levelname)s %(name)s %(message)s %(service)s %(request_id)s %(traceparent)s %(client)s",
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp="time",
            json_ensure_ascii=False,
            reserved_attrs=[*RESERVED_ATTRS, "color_message"],
        )
    )
    handler.addFilter(_RequestFields(service))
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
