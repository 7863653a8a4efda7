"""Makes the gateway's spans of a call from its line in the log, and finds all spans that belong to a call."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict

from dyber_console.records.calls import call_of
from dyber_console.records.model import Call, Span
from dyber_console.records.store import Store

#: The service of the spans that are made here.
GATEWAY = "gateway"
#: Spans of one call that are shown; of more, the longest.
MOST_SPANS = 200
_MOST_READ = 2000
_MOST_CALLS = 50
#: How far clocks may differ, and how long after its request a call of an event stream may begin, in seconds.
_AROUND = 2.0
_FIRST_BIT = 1 << 63
#: Outcomes in small letters that are not the gateway's.
_NO_FAILURES = ("ok", "cancelled", "tool_error", "protocol_error", "unknown_tool")


def gateway_spans(call: Call) -> list[Span]:
    """Return the gateway's span of a request, and below it one for each container that it asked.

    The last of these has the id that the gateway gave the service as the parent of its spans.
    """
    whole = Span(
        call.trace_id,
        request_span_id(call),
        call.parent_id,
        GATEWAY,
        f"POST {call.path or '/'}",
        call.at,
        call.seconds,
        _has_failed(call),
        details={"kind": "server", "http.response.status_code": str(call.status)},
    )
    made, begin, last = [whole], call.at, len(call.upstreams)
    for number, address in enumerate(call.upstreams, 1):
        given = call.upstream_seconds[number - 1] if number <= len(call.upstream_seconds) else None
        status = call.upstream_statuses[number - 1] if number <= len(call.upstream_statuses) else ""
        seconds = min(given or 0.0, max(0.0, call.at + call.seconds - begin))
        details = {"kind": "client", "try": str(number), "server.address": address}
        if status:
            details["http.response.status_code"] = status
        failed = status.startswith("5") or (number < last and not status)
        identifier = _try_span_id(call, number)
        made.append(
            Span(call.trace_id, identifier, whole.span_id, GATEWAY, "POST", begin, seconds, failed, details=details)
        )
        begin += seconds
    return made


def request_span_id(call: Call) -> str:
    """Return the id of the gateway's span of a request: that of its last try, with another first bit."""
    return f"{_number(call) ^ _FIRST_BIT:016x}"


def spans_of(store: Store, call: Call) -> list[Span]:
    """Return the spans of a call by their start, those of the gateway included; of too many the longest.

    They are those below the gateway's span, also through the hub, which calls services by the gateway.
    """
    around = (call.at - _AROUND, call.at + call.seconds + _AROUND)
    others = store.db.execute(
        "SELECT * FROM calls WHERE trace_id = ? AND at BETWEEN ? AND ? LIMIT ?", (call.trace_id, *around, _MOST_CALLS)
    )
    requests = [other for other in map(call_of, others) if other.span_id and other.id != call.id]
    own = gateway_spans(call)
    made = [*own, *(span for request in requests for span in gateway_spans(request))]
    rows = store.db.execute(
        "SELECT * FROM spans WHERE trace_id = ? AND start BETWEEN ? AND ? ORDER BY seconds DESC LIMIT ?",
        (call.trace_id, *around, _MOST_READ),
    )
    sent = [_span(row) for row in rows]
    children: dict[str, list[Span]] = defaultdict(list)
    known = {span.span_id for span in (*made, *sent)}
    for span in (*made, *sent):
        parent = span.parent_id
        if not call.span_id and span.service == call.service and parent not in known:
            parent = _try_span_id(call, len(call.upstreams))  # The gateway did not say which span it is.
        children[parent].append(span)
    found: dict[str, Span] = {}
    waiting = [own[0]]
    while waiting:
        span = waiting.pop()
        if span.span_id not in found:
            found[span.span_id] = span
            waiting += children[span.span_id]
    kept = sorted(found.values(), key=lambda span: (span.service != GATEWAY, -span.seconds))[:MOST_SPANS]
    # Of those that begin together, tries are in their order, and what takes longer is around the others.
    order = {span.span_id: number for number, span in enumerate((*made, *sent))}
    return sorted(kept, key=lambda span: (span.start, order[span.span_id]))


def _has_failed(call: Call) -> bool:
    """Return whether the gateway itself failed; a refusal, or what a service answers, is no failure of its."""
    if call.status >= 400:
        return call.status >= 500
    return call.outcome.islower() and call.outcome not in _NO_FAILURES


def _try_span_id(call: Call, number: int) -> str:
    """Return the id of a try; the last has that which the service was told."""
    return f"{_number(call) ^ (len(call.upstreams) - number) << 48:016x}"


def _number(call: Call) -> int:
    """Return the span id that the service was told, or one of the trace's for a gateway that tells none."""
    return int(call.span_id or call.trace_id[-16:] or "1", 16)


def _span(row: sqlite3.Row) -> Span:
    return Span(
        row["trace_id"], row["span_id"], row["parent_id"], row["service"], row["name"], row["start"], row["seconds"],
        bool(row["failed"]), row["tool"], row["outcome"], json.loads(row["details"]),
    )  # fmt: skip
