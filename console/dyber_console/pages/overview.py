"""Shows whether all is well, what to do now, and the services."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from dyber_console.intake.files import Event
from dyber_console.language import tr, tr_plural
from dyber_console.pages.access import session_of
from dyber_console.pages.frame import Entry, Frame, frame
from dyber_console.pages.parts import charts
from dyber_console.pages.rendering import Renderer
from dyber_console.records import changes, usage
from dyber_console.records.model import HALF_HOUR, half_hour
from dyber_console.settings import BASE
from dyber_console.state import Console
from dyber_console.verdicts.codes import meaning
from dyber_console.verdicts.facts import Account
from dyber_console.verdicts.rules import Grade, part_titles
from dyber_console.verdicts.times import duration, local

_GROUPS: dict[str, tuple[Grade, ...]] = {
    "todo": (Grade.BAD, Grade.WARN),
    "waiting": (Grade.WAIT,),
    "ok": (Grade.OK,),
}
_EVENTS = 8


@dataclass(frozen=True)
class Row:
    """Holds a service's row in the table."""

    entry: Entry
    usage: usage.Usage
    bars: charts.Bars
    line: charts.Line
    memory_mib: float | None

    @property
    def account(self) -> Account | None:
        """Return the account whose login matters most: one that is lost, else the first that is known."""
        known = [account for account in self.entry.facts.accounts if account.logged_in is not None]
        lost = [account for account in known if not account.logged_in and account.was_in]
        return next(iter([*lost, *known]), None)


@dataclass(frozen=True)
class Mark:
    """Holds a mark on the chart of the day: its place in percent, and its text."""

    place: float
    text: str


@dataclass(frozen=True)
class Happening:
    """Holds one line of the recent events."""

    at: float
    icon: str
    subject: str
    text: str


def routes(console: Console, renderer: Renderer) -> APIRouter:
    """Return the route of the overview."""
    router = APIRouter()

    @router.get(f"{BASE}/")
    async def overview(request: Request, state: str = "", q: str = "") -> Response:
        session_of(console, request)
        view = frame(console)
        by_service = console.day.services(view.facts.now)
        empty = usage.Usage(half_hour(view.facts.now) - usage.DAY + 1, usage.DAY)
        rows = [_row(console, entry, by_service.get(entry.name, empty)) for entry in view.entries]
        whole = console.day.whole(view.facts.now)
        return renderer.page(
            request,
            "overview.html",
            "overview",
            frame=view,
            rows=[row for row in rows if _is_chosen(row.entry, state, q)],
            all_rows=rows,
            counts={name: sum(row.entry.grade in grades for row in rows) for name, grades in _GROUPS.items()},
            group=state if state in _GROUPS else "",
            q=q[:100],
            summary=_summary(view),
            whole=whole,
            bars=charts.wide_bars(whole.good, whole.bad),
            axis=_axis(whole),
            marks=_marks(console, view, whole),
            lost=_lost_in_deployments(console),
            happenings=_happenings(console, view),
            drift=console.files.newest("drift"),
            backup=console.files.newest("backup"),
            strangers=_strangers(console),
            profiles=console.files.deployment.profiles,
            cache_hits=_cache_hits(console, view),
        )

    return router


def _row(console: Console, entry: Entry, counted: usage.Usage) -> Row:
    used = console.live.total(entry.name, "process_resident_memory_bytes")
    return Row(
        entry,
        counted,
        charts.spark_bars(counted.good, counted.bad),
        charts.spark_line(counted.percentiles(0.95)),
        used / 2**20 if used is not None else None,
    )


def _is_chosen(entry: Entry, state: str, q: str) -> bool:
    wanted = q.strip().lower()
    fits = not wanted or wanted in entry.name.lower() or wanted in entry.title.lower()
    return fits and (state not in _GROUPS or entry.grade in _GROUPS[state])


def _summary(view: Frame) -> str:
    """Return the line under the sentence: which services, and how the others are."""
    if view.is_lost or not view.entries:
        return ""
    well = sum(entry.grade is Grade.OK for entry in view.entries)
    waiting = [entry.short for entry in view.entries if entry.grade is Grade.WAIT]
    if view.to_do:
        parts = [_inside(todo.title) if index else todo.title for index, todo in enumerate(view.to_do[:3])]
        text = tr(", ").join(parts)
        rest = [tr("{services} recovers by itself", services=tr(" and ").join(waiting))] if waiting else []
        if well:
            rest.append(tr_plural("{count} service is well", "{count} services are well", well))
        return tr("{todos}. {rest}.", todos=text, rest=tr(", ").join(rest)) if rest else tr("{todos}.", todos=text)
    if waiting:
        return tr("{services} recovers by itself; the rest is well.", services=tr(" and ").join(waiting))
    if well == len(view.entries):
        return tr_plural(
            "{count} service answers. There is nothing for you to do.",
            "All {count} services answer. There is nothing for you to do.",
            well,
        )
    return tr_plural("{count} service is well.", "{count} services are well.", well)


def _inside(title: str) -> str:
    """Return a sentence of the list as it is written inside another."""
    return "t" + title[1:] if title.startswith("The ") else title


def _axis(whole: usage.Usage) -> list[str]:
    """Return the texts below the chart of the day: five times, the last of them now."""
    now_half = whole.first + usage.DAY
    texts = []
    for step in range(4):
        moment = local((now_half - usage.DAY + step * 12) * HALF_HOUR)
        is_today = moment.date() == local((now_half - 1) * HALF_HOUR).date()
        time = f"{moment.hour}:{moment:%M}"
        texts.append(time if is_today or step else tr("yesterday {time}", time=time))
    return [*texts, tr("now")]


def _marks(console: Console, view: Frame, whole: usage.Usage) -> list[Mark]:
    """Return the deployments of the day, and when each open item began."""
    times = [
        (event.at, tr("{time} deployed", time=f"{local(event.at):%H:%M}"))
        for event in console.files.history
        if event.kind == "deployment" and event.content.get("outcome") == "ok"
    ]
    for entry in view.entries:
        failure = entry.facts.failure
        if entry.grade <= Grade.WARN and failure is not None and not failure.is_over:
            times.append((failure.since, f"{local(failure.since):%H:%M}"))
    length = usage.DAY * HALF_HOUR
    marks = [Mark(100 * (at - whole.start) / length, text) for at, text in sorted(times)]
    kept: list[Mark] = []
    for mark in marks:
        # Texts need room: of marks that are close together the first keeps its text.
        if 0 <= mark.place <= 100:
            crowded = any(other.text and mark.place - other.place < 14 for other in kept)
            kept.append(Mark(mark.place, "" if crowded else mark.text))
    return kept[-6:]


def _lost_in_deployments(console: Console) -> int | None:
    """Return how many calls the gateway could not pass on while a deployment ran; None without a deployment."""
    deployments = [event for event in console.files.history if event.kind == "deployment"]
    now = console.live.clock()
    times = [_span(event) for event in deployments if now - event.at < usage.DAY * HALF_HOUR]
    if not times:
        return None
    return sum(usage.lost_between(console.store, *span) for span in times)


def _span(event: Event) -> tuple[float, float]:
    seconds = event.content.get("seconds")
    return event.at, event.at + (seconds if isinstance(seconds, int | float) else 0)


def _happenings(console: Console, view: Frame) -> list[Happening]:
    """Return the last events: changes of states, logins, deployments, promotions, and containers that ended."""
    titles = part_titles() | {entry.name: entry.short for entry in view.entries}
    words = {
        "up": ("ok", tr("answers")),
        "degraded": ("warn", tr("answers in part")),
        "down": ("bad", tr("stopped answering")),
        "unknown": ("off", tr("is being checked")),
    }
    found = []
    for change in changes.recent_states(console.store):
        icon, text = words.get(change.state, ("off", change.state))
        found.append(Happening(change.at, icon, titles.get(change.service, change.service), text))
    for login in changes.recent_logins(console.store):
        name = titles.get(login.service, login.service)
        text = tr("account {account} logged in", account=login.account)
        if not login.logged_in:
            text = tr("account {account} is not logged in", account=login.account)
        found.append(Happening(login.at, "ok" if login.logged_in else "warn", name, text))
    ways: dict[str, Callable[[Event], Happening]] = {
        "deployment": _deployment,
        "promotion": _promotion,
        "ended": lambda event: _ended(event, titles),
    }
    shown = [event for event in console.files.history if event.kind in ways]
    found += [ways[event.kind](event) for event in shown[:_EVENTS]]
    for entry in view.entries:
        failure = entry.facts.failure
        if failure is not None and not failure.is_over:
            sentence = meaning(failure.call.outcome).sentence
            found.append(Happening(failure.since, entry.grade.icon, entry.short, sentence))
    return sorted(found, key=lambda happening: happening.at, reverse=True)[:_EVENTS]


def _deployment(event: Event) -> Happening:
    outcome, seconds = event.content.get("outcome"), event.content.get("seconds")
    if outcome == "refused":
        return Happening(
            event.at, "warn", tr("Deployment"), tr("refused: {reason}", reason=event.content.get("reason", ""))
        )
    if outcome == "failed":
        return Happening(event.at, "bad", tr("Deployment"), tr("failed"))
    took = (
        tr("done in {duration}", duration=duration(float(seconds))) if isinstance(seconds, int | float) else tr("done")
    )
    return Happening(event.at, "ok", tr("Deployment"), took)


def _promotion(event: Event) -> Happening:
    parts = event.content.get("parts")
    text = tr(
        "{parts} from {source} to {target}",
        parts=", ".join(map(str, parts)) if isinstance(parts, list) else "",
        source=event.content.get("from", ""),
        target=event.content.get("to", ""),
    )
    return Happening(event.at, "ok", tr("Promotion"), text.strip())


def _ended(event: Event, titles: Mapping[str, str]) -> Happening:
    name, code = str(event.content.get("service", "")), event.content.get("exit_code")
    if event.content.get("reason") == "out_of_memory":
        text = tr("ended at its limit of memory, and was started again")
    elif isinstance(code, int):
        text = tr("ended with exit code {code}, and was started again", code=code)
    else:
        text = tr("ended, and was started again")
    return Happening(event.at, "warn", titles.get(name, name), text)


def _strangers(console: Console) -> int:
    row = console.store.db.execute(
        "SELECT COUNT(*) FROM calls WHERE client = '' AND outcome = 'unauthorized'"
    ).fetchone()
    return int(row[0])


def _cache_hits(console: Console, view: Frame) -> str | None:
    hits = sum(console.live.total(entry.name, "cache_hits_total") or 0 for entry in view.entries)
    misses = sum(console.live.total(entry.name, "cache_misses_total") or 0 for entry in view.entries)
    return f"{100 * hits / (hits + misses):.0f}%" if hits + misses else None
