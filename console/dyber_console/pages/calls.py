"""Shows the calls: a filtered list, and one call with the time it took."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from dyber_console import gathering
from dyber_console.language import tr
from dyber_console.pages.access import session_of
from dyber_console.pages.parts import charts, waterfall
from dyber_console.pages.rendering import Renderer
from dyber_console.records import calls, logs, traces
from dyber_console.records.calls import Filter
from dyber_console.records.model import HALF_HOUR, Call, Result, half_hour
from dyber_console.records.usage import DAY
from dyber_console.settings import BASE
from dyber_console.state import Console
from dyber_console.verdicts.times import local

RESULTS = {"ok": Result.OK, "failed": Result.FAILED, "refused": Result.REFUSED, "cancelled": Result.CANCELLED}
SLOWER = (1, 5, 30)
_LONGEST = 128
_MOST_SIMILAR = 12
#: Seconds without a line of the access log after which it is missed, if the gateway answers.
_SILENT_SECONDS = 600.0


@dataclass(frozen=True)
class Chip:
    """Holds a condition of the list, and the address without it."""

    name: str
    value: str
    without: str


def routes(console: Console, renderer: Renderer) -> APIRouter:
    """Return the routes of the list and of a call."""
    router = APIRouter()

    @router.get(f"{BASE}/calls")
    async def listed(
        request: Request,
        service: str = "",
        tool: str = "",
        client: str = "",
        outcome: str = "",
        slower: str = "",
        before: str = "",
        call: str = "",
    ) -> Response:
        session_of(console, request)
        similar = _similar(console.day.names("tool"), tool.strip()[:_LONGEST])
        tool = similar[0] if len(similar) == 1 else tool
        chosen = _filter(service, tool, client, outcome, slower, before)
        page = calls.page(console.store, chosen)
        counted = _counted(console, chosen)
        picked = calls.by_request(console.store, call) if call else (page[0] if page else None)
        first = half_hour(console.live.clock()) - DAY + 1
        return renderer.page(
            request,
            "calls.html",
            "calls",
            chosen=chosen,
            outcome=outcome if outcome in RESULTS else "",
            calls=page,
            counted=counted,
            chips=_chips(console, chosen, outcome),
            bars=_histogram(counted, first),
            axis=_axis(first),
            services=console.day.names("service"),
            tools=console.day.names("tool"),
            clients=console.day.names("client"),
            slower_choices=SLOWER,
            title_of=lambda name: gathering.title(console, name),
            older=_older(chosen, outcome, page),
            silent_since=_silent_since(console),
            similar=[(name, address(replace(chosen, tool=name, before=None), outcome)) for name in similar],
            **_detail(console, picked),
        )

    @router.get(f"{BASE}/calls/{{request_id}}")
    async def single(request: Request, request_id: str) -> Response:
        session_of(console, request)
        call = calls.by_request(console.store, request_id[:_LONGEST])
        if call is None:
            return renderer.page(
                request,
                "message.html",
                "calls",
                404,
                heading=tr("This call is not recorded"),
                text=tr("Calls are kept for 24 hours, and appear a few seconds after they end."),
                link=f"{BASE}/calls",
                words=tr("To the calls"),
            )
        return renderer.page(
            request,
            "call.html",
            "calls",
            title_of=lambda name: gathering.title(console, name),
            **_detail(console, call),
        )

    return router


def _similar(names: list[str], wanted: str) -> list[str]:
    """Return the tools with a text in their names, at most a few; none for the whole name of a tool."""
    if not wanted or wanted in names:
        return []
    return [name for name in names if wanted.lower() in name.lower()][:_MOST_SIMILAR]


def _counted(console: Console, chosen: Filter) -> calls.Summary:
    """Return the counts of a filter; those of all calls, and of a service, are at hand."""
    if replace(chosen, before=None) in (Filter(), Filter(service=chosen.service)):
        return console.day.summary(console.live.clock(), chosen.service)
    return console.summaries.of(chosen)


def _detail(console: Console, call: Call | None) -> dict[str, Any]:
    if call is None:
        return {"call": None}
    spans = traces.spans_of(console.store, call)
    divided = waterfall.shares(call, spans)
    return {
        "call": call,
        "has_spans": waterfall.has_spans(spans),
        "rows": waterfall.rows(call, spans),
        "shares": divided,
        "sentence": waterfall.sentence(divided),
        "ticks": waterfall.ticks(waterfall.length(call, spans)),
        "lines": logs.of_request(console.store, call.request_id),
    }


def _filter(service: str, tool: str, client: str, outcome: str, slower: str, before: str) -> Filter:
    return Filter(
        service=service[:_LONGEST],
        tool=tool.strip()[:_LONGEST],
        client=client[:_LONGEST],
        result=RESULTS.get(outcome),
        slower=float(slower) if slower.isascii() and slower.isdigit() and len(slower) < 6 else None,
        before=int(before) if before.isascii() and before.isdigit() and len(before) < 16 else None,
    )


def address(chosen: Filter, outcome: str) -> str:
    """Return the address of the list with these conditions."""
    query = {
        "service": chosen.service,
        "tool": chosen.tool,
        "client": chosen.client,
        "outcome": outcome if chosen.result is not None else "",
        "slower": f"{chosen.slower:g}" if chosen.slower else "",
        "before": str(chosen.before or ""),
    }
    used = urlencode({name: value for name, value in query.items() if value})
    return f"{BASE}/calls?{used}" if used else f"{BASE}/calls"


def _chips(console: Console, chosen: Filter, outcome: str) -> list[Chip]:
    base = replace(chosen, before=None)
    words = {
        "ok": tr("Succeeded"),
        "failed": tr("Failed"),
        "refused": tr("Refused"),
        "cancelled": tr("Cancelled"),
    }
    chips = []
    if chosen.service:
        title = gathering.title(console, chosen.service)
        chips.append(Chip(tr("Service"), title, address(replace(base, service=""), outcome)))
    if chosen.tool:
        chips.append(Chip(tr("Tool"), chosen.tool, address(replace(base, tool=""), outcome)))
    if chosen.client:
        chips.append(Chip(tr("Client"), chosen.client, address(replace(base, client=""), outcome)))
    if chosen.result is not None:
        chips.append(Chip(tr("Result"), words[outcome], address(replace(base, result=None), outcome)))
    if chosen.slower:
        text = f"{chosen.slower:g} s"
        chips.append(Chip(tr("Slower than"), text, address(replace(base, slower=None), outcome)))
    return chips


def _histogram(counted: calls.Summary, first: int) -> charts.Bars:
    good, bad = [0] * DAY, [0] * DAY
    for (half, result), count in counted.by_half.items():
        if 0 <= half - first < DAY:
            (bad if result in (Result.FAILED, Result.REFUSED) else good)[half - first] += count
    return charts.wide_bars(good, bad, max((up + down for up, down in zip(good, bad, strict=True)), default=0))


def _axis(first: int) -> list[str]:
    texts = []
    for step in range(6):
        moment = local((first + step * 8) * HALF_HOUR)
        time = f"{moment.hour}:{moment:%M}"
        texts.append(time if step else tr("yesterday {time}", time=time))
    return [*texts, tr("now")]


def _older(chosen: Filter, outcome: str, page: list[Call]) -> str:
    return address(replace(chosen, before=page[-1].id), outcome) if len(page) == calls.PAGE else ""


def _silent_since(console: Console) -> float | None:
    """Return since when no log came in although the gateway counts requests; None while all is well or unknown."""
    last, live = console.live.last_log_at, console.live
    if last is None or live.is_stale or live.clock() - last < _SILENT_SECONDS:
        return None
    return last
