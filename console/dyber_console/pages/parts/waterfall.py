"""Arranges the spans of a call as rows of a waterfall, and says where its time went."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from dyber_console.language import tr
from dyber_console.pages.parts import wording
from dyber_console.records.model import Call, Span
from dyber_console.verdicts.times import took

_DEEPEST = 6
#: The kinds of time, in the order of the bar: waiting, the platform, the browser, the service, the gateway.
KINDS = ("wait", "up", "br", "svc", "gw")
_WAITING = re.compile(r"^(queue|wait)")


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
    """Return the gateway's rows, and below its last try the spans of the service."""
    whole = max(call.seconds, 0.001)
    found = [WaterfallRow(0, "gw", f"POST {call.path or '/'}", tr("gateway"), 0, 100, call.seconds)]
    begin = 0.0
    for number, upstream in enumerate(call.upstreams, 1):
        seconds = call.upstream_seconds[number - 1] if number <= len(call.upstream_seconds) else None
        length = min(seconds if seconds is not None else 0.0, whole - begin)
        name = tr("try {number} → {address}", number=number, address=upstream)
        found.append(WaterfallRow(1, "gw", name, "", *_percent(begin, length, whole), length))
        begin += length
    if not spans:
        return found
    # The clocks of gateway and service differ, and the log has whole seconds: the service's first span begins with the
    # last try.
    last = call.upstream_seconds[-1] if call.upstream_seconds else None
    offset = max(0.0, whole - (last if last is not None else whole)) - spans[0].start
    for span, level in _ordered(spans):
        start = min(max(0.0, span.start + offset), whole)
        place, length = _percent(start, min(span.seconds, whole - start), whole)
        note = span.details.get("http.response.status_code", "")
        found.append(WaterfallRow(min(level + 2, _DEEPEST), kind(span), span.name, note, place, length, span.seconds))
    return found


def shares(call: Call, spans: list[Span]) -> list[Share]:
    """Return how the time of a call divides into kinds; nothing without spans."""
    if not spans:
        return []
    seconds = dict.fromkeys(KINDS, 0.0)
    children: dict[str, float] = {}
    for span in spans:
        children[span.parent_id] = children.get(span.parent_id, 0.0) + span.seconds
    for span in spans:
        seconds[kind(span)] += max(0.0, span.seconds - children.get(span.span_id, 0.0))
    known = sum(seconds.values())
    seconds["gw"] = max(0.0, call.seconds - known)
    whole = sum(seconds.values()) or 1.0
    names = {
        "wait": tr("Queue"),
        "up": tr("Platform"),
        "br": tr("Browser"),
        "svc": tr("Service"),
        "gw": tr("Gateway"),
    }
    found, place = [], 0.0
    for name in KINDS:
        if seconds[name] > 0:
            length = 100 * seconds[name] / whole
            found.append(Share(name, names[name], seconds[name], round(place, 2), round(length, 2)))
            place += length
    return found


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
        "br": tr("The largest part was the browser's ({time}, {part}).", time=time, part=part),
        "svc": tr("The largest part was the service's ({time}, {part}).", time=time, part=part),
        "gw": tr("The largest part was between gateway and service ({time}, {part}).", time=time, part=part),
    }
    return texts[longest.kind]


def ticks(seconds: float) -> list[str]:
    """Return the texts of the axis, at the start and after each quarter but the last."""
    return ["0", *(took(seconds * part / 4) for part in (1, 2, 3))]


def kind(span: Span) -> str:
    """Return the kind of time of a span, by its name."""
    if span.name.startswith("upstream "):
        return "up"
    if span.name.startswith("browser"):
        return "br"
    return "wait" if _WAITING.match(span.name) else "svc"


def _ordered(spans: list[Span]) -> Iterable[tuple[Span, int]]:
    """Yield each span after its parent, with its depth; spans without a known parent are at the top."""
    known = {span.span_id for span in spans}
    children: dict[str, list[Span]] = {}
    tops = []
    for span in spans:
        if span.parent_id in known and span.parent_id != span.span_id:
            children.setdefault(span.parent_id, []).append(span)
        else:
            tops.append(span)
    waiting = [(span, 0) for span in reversed(tops)]
    while waiting:
        span, level = waiting.pop()
        yield span, level
        waiting += [(child, level + 1) for child in reversed(children.get(span.span_id, []))]


def _percent(start: float, length: float, whole: float) -> tuple[float, float]:
    return round(100 * start / whole, 2), max(0.3, round(100 * length / whole, 2))
