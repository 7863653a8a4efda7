"""Shows what agents see: all tools, how they differ from the locked contracts, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from mcp.types import Tool
from starlette.requests import Request
from starlette.responses import Response

from dyber_console.pages.access import session_of
from dyber_console.pages.frame import Entry, frame
from dyber_console.pages.rendering import Renderer
from dyber_console.records import usage
from dyber_console.settings import BASE
from dyber_console.state import Console
from dyber_console.tools import contracts
from dyber_console.tools.calling import is_read_only
from dyber_console.tools.contracts import ToolDifference

SHOWN = ("unused", "write", "changed")
_PAGE = 60
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
    differences: tuple[ToolDifference, ...]
    is_locked: bool
    digest: str
    age: float

    @property
    def tokens(self) -> int:
        """Return what the list costs an agent, in tokens."""
        return sum(row.tokens for row in self.rows)

    @property
    def used_tokens(self) -> int:
        """Return what the tools cost that were called."""
        return sum(row.tokens for row in self.rows if row.calls)

    @property
    def is_old(self) -> bool:
        """Return whether the service has not been asked for its tools for too long."""
        return self.age > _STALE_SECONDS


def routes(console: Console, renderer: Renderer) -> APIRouter:
    """Return the route of the page."""
    router = APIRouter()

    @router.get(f"{BASE}/tools")
    async def tools(request: Request, show: str = "", q: str = "", service: str = "", page: str = "1") -> Response:
        session_of(console, request)
        view = frame(console)
        called = usage.by_tool(console.store)
        groups = [group for entry in view.entries if (group := _group(console, entry, called, view.facts.now))]
        rows = [(group, row) for group in groups for row in group.rows if _is_chosen(group, row, show, q, service)]
        number = int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 5 else 1
        first = (max(1, number) - 1) * _PAGE
        counted = view.facts.counted_since
        return renderer.page(
            request,
            "tools.html",
            "tools",
            frame=view,
            groups=groups,
            shown=_by_group(rows[first : first + _PAGE]),
            matching=len(rows),
            page_number=number,
            pages=-(-len(rows) // _PAGE),
            show=show if show in SHOWN else "",
            q=q[:100],
            service=service[:100],
            counts={name: sum(_is_chosen(g, row, name, "", "") for g in groups for row in g.rows) for name in SHOWN},
            total=sum(len(group.rows) for group in groups),
            tokens=sum(group.tokens for group in groups),
            unused_tokens=sum(group.tokens - group.used_tokens for group in groups),
            most=max((group.tokens for group in groups), default=0),
            days=min(_DAYS_COUNTED, int((view.facts.now - counted) // 86_400)) if counted else 0,
            asked=max((console.tools.listings[g.entry.name].at for g in groups), default=None),
        )

    return router


def _group(
    console: Console, entry: Entry, called: dict[tuple[str, str], tuple[int, float]], now: float
) -> Group | None:
    listing = console.tools.listings.get(entry.name)
    if listing is None:
        return None
    locked = console.files.contracts().get(entry.name)
    found = contracts.differences(locked, listing.tools) if locked is not None else []
    kinds = {difference.tool: difference.kind for difference in found}
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


def _by_group(rows: list[tuple[Group, ToolRow]]) -> list[tuple[Group, list[ToolRow]]]:
    result: list[tuple[Group, list[ToolRow]]] = []
    for group, row in rows:
        if not result or result[-1][0] is not group:
            result.append((group, []))
        result[-1][1].append(row)
    return result
