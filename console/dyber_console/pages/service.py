"""Shows a service: whether it is well, its login, its usage, its tools to try, its calls and its limits."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote

from fastapi import APIRouter
from mcp.types import Tool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dyber_console.language import tr
from dyber_console.pages.access import sent_form, session_of
from dyber_console.pages.frame import Entry, frame
from dyber_console.pages.parts import charts
from dyber_console.pages.rendering import Renderer
from dyber_console.records import calls, changes, logs, usage
from dyber_console.records.calls import Filter
from dyber_console.records.model import HALF_HOUR, half_hour
from dyber_console.settings import BASE
from dyber_console.state import Console
from dyber_console.tools import forms
from dyber_console.tools.calling import Answer, is_read_only
from dyber_console.tools.logins import Login
from dyber_console.verdicts.facts import Account
from dyber_console.verdicts.times import local

_RANGES = {"24h": 1, "7d": 7, "30d": 30}
_RECENT = 8
_LONGEST = 200


@dataclass(frozen=True)
class Gauge:
    """Holds a use against its limit."""

    name: str
    used: float
    limit: float
    unit: str = ""

    @property
    def share(self) -> float:
        """Return the use in percent of the limit, at most 100."""
        return round(min(100.0, 100 * self.used / self.limit), 1) if self.limit else 0.0

    @property
    def grade(self) -> str:
        """Return the colour of the bar."""
        return "bad" if self.share >= 95 else "warn" if self.share >= 80 else ""


def routes(console: Console, renderer: Renderer) -> APIRouter:
    """Return the routes of a service's page, of trying a tool, and of its login."""
    router = APIRouter()

    async def page(
        request: Request,
        name: str,
        status: int = 200,
        *,
        tool: str = "",
        account: str = "",
        days: str = "24h",
        answer: Answer | None = None,
        sent: Mapping[str, str] | None = None,
        problem: forms.UnusableArguments | None = None,
        level: str = "",
        follow: str = "",
    ) -> Response:
        view = frame(console)
        entry = view.entry(name)
        if entry is None:
            return renderer.page(
                request,
                "message.html",
                "overview",
                404,
                heading=tr("There is no such service"),
                text=tr("The gateway knows no service of this name."),
                link=f"{BASE}/",
                words=tr("To the overview"),
            )
        now = view.facts.now
        chosen = days if days in _RANGES else "24h"
        if chosen == "24h":
            empty = usage.Usage(half_hour(now) - usage.DAY + 1, usage.DAY)
            counted = console.day.services(now).get(name, empty)
        else:
            counted = usage.long_range(console.store, now, name, _RANGES[chosen])
        p95, p50 = counted.percentiles(0.95), counted.percentiles(0.5)
        top = charts.round_up_seconds(max((value for value in p95 if value is not None), default=0))
        login = await console.logins.follow(name, account, now)
        return renderer.page(
            request,
            "service.html",
            f"service-{name}",
            status,
            frame=view,
            entry=entry,
            deployed=console.files.deployment.services.get(name),
            address=_address(console, request, name),
            usage=counted,
            range=chosen,
            ranges=tuple(_RANGES),
            bars=charts.wide_bars(counted.good, counted.bad),
            p95=charts.wide_line(p95, top),
            p50=charts.wide_line(p50, top),
            top=top,
            axis=_axis(counted),
            recent=calls.page(console.store, Filter(service=name))[:_RECENT],
            login=login,
            login_accounts=entry.facts.accounts,
            known_account=_chosen_account(entry, account),
            account=account,
            can_log_in=console.logins.login_tools(name) is not None,
            gauges=_gauges(console, entry),
            metrics=lambda metric, **labels: console.live.total(name, metric, **labels),
            refused=_refused(console, name),
            attempt=_attempt(console, name, tool, sent),
            answer=answer,
            problem=problem,
            share_left=_share_left(login, now),
            started=console.live.started(name),
            marks=_marks(entry, counted),
            lasted=_lasted(console, name, _chosen_account(entry, account)),
            log=_log(console, name, level),
            log_counts=logs.counts(console.store, name),
            level=level if level in logs.LEVELS else "",
            follow=bool(follow),
        )

    @router.get(f"{BASE}/services/{{name}}")
    async def show(
        request: Request,
        name: str,
        tool: str = "",
        account: str = "",
        range: str = "24h",
        level: str = "",
        follow: str = "",
    ) -> Response:
        session_of(console, request)
        tool, account = tool[:_LONGEST], account[:_LONGEST]
        return await page(request, name, tool=tool, account=account, days=range, level=level, follow=follow)

    @router.post(f"{BASE}/services/{{name}}/tools/{{tool}}")
    async def attempt(request: Request, name: str, tool: str) -> Response:
        sent = await sent_form(console, request)
        known = console.tools.tool(name, tool)
        if known is None or not is_read_only(known):
            return await page(request, name, 403, tool=tool)
        values = {field.removeprefix("a."): value for field, value in sent.items() if field.startswith("a.")}
        try:
            arguments = forms.arguments(known.input_schema, values)
        except forms.UnusableArguments as problem:
            return await page(request, name, 422, tool=tool, sent=values, problem=problem)
        answer = await console.tools.call(name, tool, arguments)
        return await page(request, name, tool=tool, answer=answer, sent=values)

    @router.get(f"{BASE}/services/{{name}}/tools/{{tool}}")
    async def form(request: Request, name: str, tool: str) -> Response:
        """Lead to the form: the address of an answer is opened again by reloading and by changing the language."""
        session_of(console, request)
        return RedirectResponse(f"{BASE}/services/{quote(name)}?tool={quote(tool)}", 303)

    @router.post(f"{BASE}/services/{{name}}/login")
    async def get_code(request: Request, name: str) -> Response:
        sent = await sent_form(console, request)
        account = sent.get("account", "")[:_LONGEST]
        await console.logins.start(name, account, console.live.clock())
        query = f"?account={quote(account)}" if account else ""
        return RedirectResponse(f"{BASE}/services/{quote(name)}{query}#login", 303)

    return router


@dataclass(frozen=True)
class Attempt:
    """Holds the tools that can be tried, and the form of the chosen one."""

    tools: tuple[Tool, ...]
    tool: Tool | None
    shown: list[forms.Field]
    folded: list[forms.Field]

    def writes(self, tool: Tool) -> bool:
        """Return whether a tool changes something, so that it cannot be tried."""
        return not is_read_only(tool)


def _attempt(console: Console, name: str, wanted: str, sent: Mapping[str, str] | None) -> Attempt | None:
    listing = console.tools.listings.get(name)
    if listing is None or not listing.tools:
        return None
    login_tools = [tool.name for tool in console.logins.login_tools(name) or ()]
    # The tools of a login are last, as the section above does what they do.
    order = sorted(listing.tools, key=lambda tool: tool.name in login_tools)
    readable = [tool for tool in order if is_read_only(tool)]
    chosen = next((tool for tool in order if tool.name == wanted), readable[0] if readable else None)
    fields = forms.fields(chosen.input_schema, sent) if chosen else []
    shown, folded = forms.split(fields)
    return Attempt(tuple(order), chosen, shown, folded)


def _chosen_account(entry: Entry, name: str) -> Account | None:
    """Return the account of this name; for "" the first that is known."""
    known = entry.facts.accounts
    return next((account for account in known if account.name == name or not name), None)


def _address(console: Console, request: Request, name: str) -> str:
    known = console.files.deployment.addresses
    scheme = request.headers.get("x-forwarded-proto", request.url.scheme)
    base = known[0].rstrip("/") if known else f"{scheme}://{request.headers.get('host', '')}"
    return f"{base}/api/{name}/mcp"


def _gauges(console: Console, entry: Entry) -> list[Gauge]:
    gauges = []
    memory = console.live.total(entry.name, "process_resident_memory_bytes")
    if memory is not None and entry.facts.memory_mib:
        gauges.append(Gauge(tr("Memory"), memory / 2**20, entry.facts.memory_mib, "MiB"))
    cores, deployed = console.live.cores.get(entry.name), console.files.deployment.services.get(entry.name)
    if cores is not None and deployed and deployed.cpus:
        gauges.append(Gauge(tr("Processor"), round(cores, 2), deployed.cpus, tr("cores")))
    used = console.live.total(entry.name, "quota_used_today")
    whole = console.live.total(entry.name, "quota_per_day")
    if used is not None and whole:
        gauges.append(Gauge(tr("The platform's quota today"), used, whole))
    return gauges


def _marks(entry: Entry, counted: usage.Usage) -> list[tuple[float, str]]:
    """Return the marks of the usage: when logins were lost; each is a place in percent and a text."""
    length = counted.periods * counted.halves * HALF_HOUR
    lost = [each.since for each in entry.facts.accounts if each.logged_in is False and each.was_in and each.since]
    places = [100 * (at - counted.start) / length for at in lost]
    return [(round(place, 2), tr("login lost")) for place in places if 0 <= place <= 100]


def _lasted(console: Console, name: str, account: Account | None) -> list[float]:
    """Return how long the logins of an account lasted, in seconds, the newest first; at most three."""
    if account is None:
        return []
    known = changes.logins(console.store, name, account.name)
    pairs = itertools.pairwise(known)
    return [later.at - earlier.at for later, earlier in pairs if earlier.logged_in and not later.logged_in][:3]


def _log(console: Console, name: str, level: str) -> list[logs.LogLine]:
    """Return the last lines of a service; those of requests that are not recorded lead to no call."""
    lines = logs.recent(console.store, name, level)
    known = calls.recorded(console.store, {line.request_id for line in lines if line.request_id})
    return [line if line.request_id in known else replace(line, request_id="") for line in lines]


def _refused(console: Console, name: str) -> int:
    row = console.store.db.execute(
        "SELECT COUNT(*) FROM calls WHERE service = ? AND is_call = 1 AND result = 2 AND outcome = 'rate_limited'",
        (name,),
    ).fetchone()
    return int(row[0])


def _share_left(login: Login | None, now: float) -> float:
    if login is None or login.expires <= login.started:
        return 0.0
    return round(max(0.0, min(100.0, 100 * (login.expires - now) / (login.expires - login.started))), 1)


def _axis(counted: usage.Usage) -> list[str]:
    start = local(counted.start)
    middle = local((counted.first + counted.periods * counted.halves // 2) * HALF_HOUR)
    if counted.halves == 1:
        return [tr("yesterday {time}", time=f"{start.hour}:{start:%M}"), f"{middle.hour}:{middle:%M}", tr("now")]
    return [f"{start:%m-%d}", f"{middle:%m-%d}", tr("now")]
