"""Arranges the spans of a call as rows of a waterfall, and says where its time went."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from dyber_console.language import tr
from dyber_console.pages.parts import wording
from dyber_console.records.model import Call, Span
from dyber_console.records.traces import GATEWAY
from dyber_console.verdicts.times import took

_DEEPEST = 8
#: Shortest bar, in percent.
_SHORTEST = 0.3
_HUB = "hub"
#: The kinds of time, in the order of the bar: waiting, the platform, the server behind a service, the browser, the
#: cache, the service, the hub, containers that did not answer, the gateway.
KINDS = ("wait", "up", "behind", "br", "cache", "svc", "hub", "lost", "gw")
_WAITING = re.compile(r"^(queue|wait)")
#: How far a service's clock may be off before its spans are moved, in seconds; on one machine there is one clock.
_CLOCKS = 0.5


@dataclass(frozen=True)
class WaterfallRow:
    """Holds a row: how deep it is, its kind of time, its place and length in percent."""

    level: int
    kind: str
    name: str
    note: str
    place: float
    length: float
    seconds: float


@dataclass(frozen=True)
class Share:
    """Holds how much of a call was spent in a kind of time; place and length are in percent."""

    kind: str
    name: str
    seconds: float
    place: float
    length: float


def rows(call: Call, spans: list[Span]) -> list[WaterfallRow]:
    """Return a row for each span, those below another after it.

    Args:
        call: The call.
        spans: Its spans, also those of the gateway.
    """
    whole = length(call, spans)
    sent = [span.start for span in spans if span.service != GATEWAY]
    shift = _shift(call, min(sent)) if sent else 0.0
    found = []
    for span, level in _ordered(spans):
        start = span.start - call.at + (0.0 if span.service == GATEWAY else shift)
        # A span that would end after the call is moved: clocks differ a little, and the log has whole milliseconds.
        start = min(max(0.0, start), whole - span.seconds)
        place, part = _percent(start, span.seconds, whole)
        found.append(
            WaterfallRow(min(level, _DEEPEST), kind(span), _name(span), _note(span), place, part, span.seconds)
        )
    return found


def length(call: Call, spans: list[Span]) -> float:
    """Return the seconds of the waterfall: those of the call, or of a span that was measured as longer."""
    return max([0.001, call.seconds, *(span.seconds for span in spans)])


def shares(call: Call, spans: list[Span]) -> list[Share]:
    """Return how the time of a call divides into kinds; nothing when no service has sent spans."""
    if not has_spans(spans):
        return []
    seconds = dict.fromkeys(KINDS, 0.0)
    below = _children(spans)
    for span in spans:
        seconds[kind(span)] += max(0.0, span.seconds - _covered(span, below[span.span_id]))
    whole = sum(seconds.values()) or 1.0
    names = {
        "wait": tr("Queue"),
        "up": tr("Platform"),
        "behind": tr("Server behind the service"),
        "br": tr("Browser"),
        "cache": tr("Cache"),
        "svc": tr("Service"),
        "hub": tr("Hub"),
        "lost": tr("Failed try"),
        "gw": tr("Gateway"),
    }
    found, place = [], 0.0
    for name in KINDS:
        length = 100 * seconds[name] / whole
        if length >= 0.005:
            found.append(Share(name, names[name], seconds[name], round(place, 2), round(length, 2)))
            place += length
    return found


def has_spans(spans: list[Span]) -> bool:
    """Return whether a service or the hub has sent spans of a call."""
    return any(span.service != GATEWAY for span in spans)


def sentence(divided: list[Share]) -> str:
    """Return where most of the time went, in a sentence; "" when nothing is known or nothing took long."""
    longest = max(divided, key=lambda share: share.seconds, default=None)
    if longest is None or longest.seconds < 0.05:
        return ""
    time, part = took(longest.seconds), wording.percent(longest.length, 100)
    texts = {
        "wait": tr(
            "The largest part was waiting for its turn ({time}, {part}): pauses protect the account.",
            time=time,
            part=part,
        ),
        "up": tr("The largest part was waiting for the platform ({time}, {part}).", time=time, part=part),
        "behind": tr("The largest part was the server behind the service ({time}, {part}).", time=time, part=part),
        "br": tr("The largest part was the browser's ({time}, {part}).", time=time, part=part),
        "cache": tr("The largest part was looking into the cache ({time}, {part}).", time=time, part=part),
        "svc": tr("The largest part was the service's ({time}, {part}).", time=time, part=part),
        "hub": tr("The largest part was the hub's ({time}, {part}).", time=time, part=part),
        "lost": tr(
            "The largest part was a try that failed ({time}, {part}); the gateway then asked another container.",
            time=time,
            part=part,
        ),
        "gw": tr("The largest part was between gateway and service ({time}, {part}).", time=time, part=part),
    }
    return texts[longest.kind]


def ticks(seconds: float) -> list[str]:
    """Return the texts of the axis, at the start and after each quarter but the last."""
    return ["0", *(took(seconds * part / 4) for part in (1, 2, 3))]


def kind(span: Span) -> str:
    """Return the kind of time of a span."""
    if span.service == GATEWAY:
        return "lost" if span.failed and "try" in span.details else "gw"
    if span.name.startswith("upstream "):
        return "up"
    if span.name.startswith("browser"):
        return "br"
    if span.name.startswith("cache "):
        return "cache"
    if _WAITING.match(span.name):
        return "wait"
    if span.service == _HUB:
        return "hub"
    return "behind" if span.details.get("kind") == "client" else "svc"


def _name(span: Span) -> str:
    if span.service == GATEWAY and "try" in span.details:
        return tr(
            "try {number} → {address}", number=span.details["try"], address=span.details.get("server.address", "")
        )
    return span.name


def _note(span: Span) -> str:
    details = span.details
    if span.service == GATEWAY and "try" not in details:
        return tr("gateway")
    if "cache.hit" in details:
        return tr("hit") if details["cache.hit"] == "True" else tr("not there")
    if span.outcome not in ("", "ok"):
        return span.outcome
    status = details.get("http.response.status_code", "")
    error = details.get("error.type", "")
    if error and error != status:
        return error
    return status if status != "200" else ""


def _shift(call: Call, first: float) -> float:
    """Return by how much the spans of services are moved, so that the first begins with the last try.

    They are moved only when the clocks differ, or when the log has whole seconds.
    """
    last = call.upstream_seconds[-1] if call.upstream_seconds else None
    begin = call.at + max(0.0, call.seconds - (last if last is not None else call.seconds))
    return 0.0 if abs(first - begin) < _CLOCKS and call.at % 1 else begin - first


def _children(spans: Iterable[Span]) -> dict[str, list[Span]]:
    found: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        found[span.parent_id].append(span)
    return found


def _covered(span: Span, children: list[Span]) -> float:
    """Return for how many seconds of a span at least one of its children ran."""
    covered, until = 0.0, span.start
    for child in sorted(children, key=lambda each: each.start):
        start, end = max(child.start, until), min(child.start + child.seconds, span.start + span.seconds)
        if end > start:
            covered += end - start
            until = end
    return covered


def _ordered(spans: list[Span]) -> Iterable[tuple[Span, int]]:
    """Yield each span after its parent, with its depth; spans without a known parent are at the top."""
    known = {span.span_id for span in spans}
    children = _children(span for span in spans if span.parent_id in known and span.parent_id != span.span_id)
    below = {span.span_id for each in children.values() for span in each}
    waiting = [(span, 0) for span in reversed(spans) if span.span_id not in below]
    while waiting:
        span, level = waiting.pop()
        yield span, level
        waiting += [(child, level + 1) for child in reversed(children[span.span_id])]


def _percent(start: float, length: float, whole: float) -> tuple[float, float]:
    part = max(_SHORTEST, round(100 * length / whole, 2))
    return round(min(100 * start / whole, 100 - part), 2), part
