"""Reads calls from lines of the gateway's access log, which are JSON objects."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from dyber_console.records.model import Call, storable

_LONGEST_TEXT = 512
_TRACE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_SPAN = re.compile(r"[0-9a-f]{16}")
_CANCELLED = 499
_ACCEPTED = 202


def call_from_line(line: str) -> Call | None:
    """Return the request of a line, or None for a request that no page shows, and for a line that cannot be read.

    A line may have the header of syslog before the object.
    """
    start = line.find("{")
    if start < 0:
        return None
    try:
        entry = json.loads(line[start:])
        return _call(entry) if isinstance(entry, dict) else None
    except (ValueError, KeyError, TypeError, OverflowError):
        return None


def _call(entry: dict[str, Any]) -> Call | None:
    service, path = _text(entry, "service"), _text(entry, "path")
    if not service or entry.get("method") != "POST":
        return None
    trace = _TRACE.fullmatch(_text(entry, "traceparent"))
    # With this field, the traceparent names the gateway's span; else it is the caller's.
    makes_spans = trace is not None and "parent_span" in entry
    caller = _text(entry, "parent_span") if _SPAN.fullmatch(_text(entry, "parent_span")) else ""
    if makes_spans and (named := _TRACE.fullmatch(_text(entry, "body_trace"))):
        trace_id, caller = named[1], named[2]
    else:
        trace_id = trace[1] if trace else ""
    seconds = max(0.0, float(entry["seconds"]))
    method, via = _text(entry, "mcp_method"), _text(entry, "via")
    status = int(entry["status"])
    # Of a list or another request, the name is none of a tool.
    tool = _text(entry, "tool")
    # A name that the gateway does not know may be wrong, but it is what was called.
    if not tool and (method == "tools/call" or "tool" not in entry):
        tool = _text(entry, "mcp_name")
    tool = tool if method in ("", "tools/call") else ""
    return Call(
        at=_ended(entry) - seconds,
        request_id=_text(entry, "request_id"),
        trace_id=trace_id,
        client=_text(entry, "client"),
        service=service,
        tool=tool,
        outcome=_outcome(status, _text(entry, "error")),
        seconds=seconds,
        status=status,
        is_call=bool(tool) or _is_call(path, method, via, status),
        mcp_method=method,
        path=path,
        via=via,
        protocol=_text(entry, "protocol"),
        bytes_in=int(entry.get("bytes_in") or 0),
        bytes_out=int(entry.get("bytes_out") or 0),
        upstreams=tuple(part for part in _parts(entry, "upstream") if part),
        upstream_seconds=tuple(_number(part) for part in _parts(entry, "upstream_seconds")),
        breaker=_text(entry, "breaker"),
        remote=_text(entry, "remote"),
        user_agent=_text(entry, "user_agent"),
        upstream_statuses=tuple(part if part != "-" else "" for part in _parts(entry, "upstream_status")),
        span_id=trace[2] if trace and makes_spans else "",
        parent_id=caller,
        sampled=trace is not None and int(trace[3], 16) % 2 == 1,
    )


def _ended(entry: dict[str, Any]) -> float:
    """Return when the request ended; the log has whole seconds unless it has the field `msec`."""
    return float(entry["msec"]) if "msec" in entry else datetime.fromisoformat(entry["time"]).timestamp()


def _outcome(status: int, error: str) -> str:
    if status == _CANCELLED:
        return "cancelled"
    if error:
        return error
    return "ok" if status < 400 else f"http_{status}"


def _is_call(path: str, method: str, via: str, status: int) -> bool:
    """Tell whether a request called a tool, as far as the log tells; spans may correct it.

    Clients of before 2026 send no header with the method. Their notifications, and all that they post to a legacy event
    stream, are answered with 202. At addresses of the hub the gateway knows the tool of every call.
    """
    if method:
        return method == "tools/call"
    if via not in ("", "direct"):
        return False
    return status != _ACCEPTED or path.rstrip("/").rpartition("/")[2] not in ("mcp", "messages")


def _parts(entry: dict[str, Any], name: str) -> list[str]:
    """Return the values of a variable of Nginx that lists one value for each upstream that it tried."""
    text = _text(entry, name)
    return [part.strip() for part in re.split(r",| : ", text)] if text else []


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _text(entry: dict[str, Any], name: str) -> str:
    value = entry.get(name)
    return storable(value[:_LONGEST_TEXT]) if isinstance(value, str) else ""
