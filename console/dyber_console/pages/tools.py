"""Shows what agents see: all tools, how they differ from the locked contracts, what a scan found, and their length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter
from mcp.types import Tool
from starlette.requests import Request
from starlette.responses import Response

from dyber_console.intake.deployment import DeployedClient
from dyber_console.intake.findings import Finding
from dyber_console.pages.access import session_of
from dyber_console.pages.frame import Entry, frame
from dyber_console.pages.promotions import promotions
from dyber_console.pages.rendering import Renderer
from dyber_console.records import usage
from dyber_console.settings import BASE, OWN_CLIENT
from dyber_console.state import Console
from dyber_console.tools import contracts
from dyber_console.tools.calling import is_read_only
from dyber_console.tools.contract_changes import Change

SHOWN = ("unused", "write", "changed")
_PAGE = 60
#: Tools of a service that are shown while nothing is filtered; services on such a page.
_ROWS = 6
_GROUPS = 12
_STALE_SECONDS = 1800.0
_DAYS_COUNTED = 30


@dataclass(frozen=True)
class ToolRow:
    """Holds a tool in the list.

    Attributes:
        calls: Calls in 30 days.
        last: When the last half hour of calls began, or None.
        lock: same, added, changed, or "" without a contract.
    """

    tool: Tool
    tokens: int
    calls: int
    last: float | None
    lock: str

    @property
    def writes(self) -> bool:
        """Return whether the tool does not say that it only reads."""
        return not is_read_only(self.tool)

    @property
    def is_silent(self) -> bool:
        """Return whether the tool does not say whether it writes."""
        return self.tool.annotations is None or self.tool.annotations.read_only_hint is None


@dataclass(frozen=True)
class Group:
    """Holds the tools of a service.

    Attributes:
        is_locked: Whether it has a contract.
        age: How old its list is in seconds.
    """

    entry: Entry
    rows: tuple[ToolRow, ...]
    differences: tuple[Change, ...]
    is_locked: bool
    digest: str
    age: float

    @property
    def tokens(self) -> int:
        """Return what the list costs an agent, in tokens."""
        return sum(row.tokens for row in self.rows)

    @property
    def silent(self) -> int:
        """Return how many tools do not say whether they write."""
        return sum(row.is_silent for row in self.rows)

    @property
    def is_old(self) -> bool:
        """Return whether the service has not been asked for its tools for too long."""
        return self.age > _STALE_SECONDS


@dataclass(frozen=True)
class Cost:
    """Holds how long the list of a service's tools is for a client, in tokens, and the part that was called."""

    entry: Entry
    tokens: int
    used: int


@dataclass(frozen=True)
class Shown:
    """Holds a service's rows on the page, and how many more it has."""

    group: Group
    rows: tuple[ToolRow, ...]
    more: int = 0


@dataclass(frozen=True)
class PlacedFinding:
    """Holds a finding with the service that it is about."""

    entry: Entry
    finding: Finding


def routes(console: Console, renderer: Renderer) -> APIRouter:
    """Return the route of the page."""
    router = APIRouter()

    @router.get(f"{BASE}/tools")
    async def tools(
        request: Request, show: str = "", q: str = "", service: str = "", page: str = "1", client: str = ""
    ) -> Response:
        session_of(console, request)
        view = frame(console)
        called = usage.by_tool(console.store)
        groups = [group for entry in view.entries if (group := _group(console, entry, called, view.facts.now))]
        groups.sort(key=lambda group: not group.differences)
        number = int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 5 else 1
        shown, pages, matching = _shown(groups, show, q, service, max(1, number))
        counted = view.facts.counted_since
        clients = {name: each for name, each in console.files.deployment.clients.items() if name != OWN_CLIENT}
        chosen = client if client in clients else next(iter(clients), "")
        lengths = {name: _costs(groups, each) for name, each in clients.items()} or {"": _costs(groups, None)}
        findings = _findings(console, view.entries)
        return renderer.page(
            request,
            "tools.html",
            "tools",
            frame=view,
            groups=groups,
            shown=shown,
            matching=matching,
            page_number=number,
            pages=pages,
            show=show if show in SHOWN else "",
            q=q[:100],
            service=service[:100],
            counts={name: sum(_is_chosen(g, row, name, "", "") for g in groups for row in g.rows) for name in SHOWN},
            total=sum(len(group.rows) for group in groups),
            unused_tokens=sum(row.tokens for group in groups for row in group.rows if not row.calls),
            tokens=sum(group.tokens for group in groups),
            client=chosen,
            lengths={name: sum(cost.tokens for cost in costs) for name, costs in lengths.items()},
            costs=lengths[chosen],
            findings=findings,
            scanned=len(console.files.findings()),
            grave=sum(each.finding.is_grave for each in findings),
            promotions=promotions(console, view.entries),
            mode=console.files.deployment.contracts,
            days=min(_DAYS_COUNTED, int((view.facts.now - counted) // 86_400)) if counted else 0,
            asked=max((console.tools.listings[g.entry.name].at for g in groups), default=None),
        )

    return router


def _costs(groups: list[Group], client: DeployedClient | None) -> list[Cost]:
    """Return the length of the list by service for a client, the longest first; None is one that may call everything."""
    costs = []
    for group in groups:
        scope: str | tuple[str, ...] = "all"
        if client is not None and client.services is not None:
            scope = client.services.get(group.entry.name, "")
        rows = [row for row in group.rows if _may_call(scope, row)]
        if rows:
            used = sum(row.tokens for row in rows if row.calls)
            costs.append(Cost(group.entry, sum(row.tokens for row in rows), used))
    return sorted(costs, key=lambda cost: -cost.tokens)


def _may_call(scope: str | tuple[str, ...], row: ToolRow) -> bool:
    if isinstance(scope, tuple):
        return row.tool.name in scope
    return scope == "all" or (scope == "read" and not row.writes)


def _findings(console: Console, entries: Sequence[Entry]) -> list[PlacedFinding]:
    """Return the findings of all services that need a person, the grave ones first."""
    by_service = console.files.findings()
    placed = [
        PlacedFinding(entry, finding)
        for entry in entries
        for finding in by_service.get(entry.name, ())
        if finding.level != "info"
    ]
    return sorted(placed, key=lambda each: not each.finding.is_grave)


def _group(
    console: Console, entry: Entry, called: dict[tuple[str, str], tuple[int, float]], now: float
) -> Group | None:
    listing = console.tools.listings.get(entry.name)
    if listing is None:
        return None
    locked = console.files.contracts().get(entry.name)
    found = contracts.differences(locked, listing.tools) if locked is not None else []
    kinds = {
        change.tool: "added" if change.tool not in (locked or {}).get("tools", {}) else "changed" for change in found
    }
    rows = []
    for tool in listing.tools:
        count, last = called.get((entry.name, tool.name), (0, None))
        lock = kinds.get(tool.name, "same") if locked is not None else ""
        rows.append(ToolRow(tool, contracts.tokens(tool), count, last, lock))
    digest = str(locked.get("sha256", ""))[:6] if locked else ""
    return Group(entry, tuple(rows), tuple(found), locked is not None, digest, now - listing.at)


def _is_chosen(group: Group, row: ToolRow, show: str, q: str, service: str) -> bool:
    if service and group.entry.name != service:
        return False
    if q.strip() and q.strip().lower() not in row.tool.name.lower():
        return False
    match show:
        case "unused":
            return row.calls == 0
        case "write":
            return row.writes
        case "changed":
            return row.lock in ("added", "changed")
    return True


def _shown(groups: list[Group], show: str, q: str, service: str, number: int) -> tuple[list[Shown], int, int]:
    """Return what a page of the list has, how many pages there are, and how many tools fit.

    Without a filter a service shows its most interesting tools: those that changed, then the most used.
    """
    if not (show in SHOWN or q.strip() or service):
        first = (number - 1) * _GROUPS
        listed = [_shortened(group) for group in groups[first : first + _GROUPS]]
        return listed, -(-len(groups) // _GROUPS), sum(len(group.rows) for group in groups)
    rows = [(group, row) for group in groups for row in group.rows if _is_chosen(group, row, show, q, service)]
    first = (number - 1) * _PAGE
    by_group: dict[str, Shown] = {}
    for group, row in rows[first : first + _PAGE]:
        known = by_group.get(group.entry.name, Shown(group, ()))
        by_group[group.entry.name] = Shown(group, (*known.rows, row))
    return list(by_group.values()), -(-len(rows) // _PAGE), len(rows)


def _shortened(group: Group) -> Shown:
    order = sorted(group.rows, key=lambda row: (row.lock not in ("added", "changed"), -row.calls))
    most = _ROWS if len(order) > _ROWS + 1 else len(order)
    return Shown(group, tuple(order[:most]), len(order) - most)
