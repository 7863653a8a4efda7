"""Shows who may call what, when each client called last, and how to connect a client."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from dyber_console.intake.deployment import DeployedClient, Snippet
from dyber_console.pages.access import session_of
from dyber_console.pages.frame import frame
from dyber_console.pages.rendering import Renderer
from dyber_console.records.usage import ClientUsage
from dyber_console.settings import BASE, OWN_CLIENT
from dyber_console.state import Console

_STRANGERS = 10


@dataclass(frozen=True)
class ClientRow:
    """Holds a client: what it may call, and its calls in the last day."""

    name: str
    deployed: DeployedClient | None
    usage: ClientUsage | None

    def scope(self, service: str) -> str | tuple[str, ...]:
        """Return what the client may call of a service: `all`, `read`, the names of tools, or ""."""
        if self.deployed is None or self.deployed.services is None:
            return ""
        return self.deployed.services.get(service, "")

    @property
    def may_everything(self) -> bool:
        """Return whether the client may call every service."""
        return self.deployed is not None and self.deployed.services is None


def routes(console: Console, renderer: Renderer) -> APIRouter:
    """Return the route of the page."""
    router = APIRouter()

    @router.get(f"{BASE}/clients")
    async def clients(request: Request, client: str = "", program: str = "") -> Response:
        session_of(console, request)
        view = frame(console)
        called = console.day.clients(view.facts.now)
        deployed = console.files.deployment
        names = [*deployed.clients, *sorted(name for name in called if name and name not in deployed.clients)]
        rows = [ClientRow(name, deployed.clients.get(name), called.get(name)) for name in names]
        others = [row for row in rows if row.name != OWN_CLIENT]
        chosen = next((row for row in others if row.name == client), others[0] if others else None)
        snippets = chosen.deployed.snippets if chosen and chosen.deployed else {}
        picked = program if program in snippets else next(iter(snippets), "")
        return renderer.page(
            request,
            "clients.html",
            "clients",
            frame=view,
            rows=rows,
            choices=others,
            own=OWN_CLIENT,
            chosen=chosen,
            snippets=snippets,
            picked=picked,
            snippet=_addressed(snippets.get(picked), deployed.addresses, _opened_under(request)),
            strangers=_strangers(console),
        )

    return router


def _opened_under(request: Request) -> str:
    scheme = request.headers.get("x-forwarded-proto", request.url.scheme)
    return f"{scheme}://{request.headers.get('host', '')}"


def _addressed(snippet: Snippet | None, addresses: tuple[str, ...], opened: str) -> Snippet | None:
    """Return a snippet with the address under which the page was opened."""
    if snippet is None or not addresses:
        return snippet
    known = addresses[0].rstrip("/")
    return replace(snippet, text=snippet.text.replace(known, opened))


def _strangers(console: Console) -> list[tuple[str, int]]:
    """Return the addresses of calls without a good token in the last day, with their number."""
    counts: dict[str, int] = {}
    for row in console.store.db.execute(
        "SELECT json_extract(details, '$.remote') AS remote, COUNT(*) FROM calls WHERE client = '' AND outcome = 'unauthorized' "
        "GROUP BY remote ORDER BY 2 DESC LIMIT ?",
        (_STRANGERS,),
    ):
        counts[row[0]] = row[1]
    return list(counts.items())
