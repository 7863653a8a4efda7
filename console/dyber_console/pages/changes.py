"""Shows the stacks side by side, the deployments of this one, and how the engine differs from what was deployed."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from dyber_console.gathering import stacks
from dyber_console.intake.deployment import DeployedService, Deployment
from dyber_console.intake.files import Event
from dyber_console.pages.access import session_of
from dyber_console.pages.frame import frame
from dyber_console.pages.promotions import Promotion, between
from dyber_console.pages.rendering import Renderer
from dyber_console.records import usage
from dyber_console.settings import BASE
from dyber_console.state import Console
from dyber_console.tools.contract_changes import Effect

_SHOWN = 30
_MONTH = 30 * 86_400
_DAY = 86_400


@dataclass(frozen=True)
class Stage:
    """Holds a stack in the row of stacks, and the way to the next one.

    Attributes:
        to_next: The services whose images differ from those of the next stack.
        shared: How many services both have.
        alone: How many services only one of both has, by its name.
        commands: The commands that promote them.
    """

    name: str
    deployment: Deployment
    is_here: bool
    next: str = ""
    to_next: tuple[Promotion, ...] = ()
    shared: int = 0
    alone: Mapping[str, int] = field(default_factory=dict)

    @property
    def breaks(self) -> int:
        """Return how many changes on the way to the next stack break callers."""
        return sum(each.breaks for each in self.to_next)

    @property
    def is_known(self) -> bool:
        """Return whether all contracts on the way to the next stack are known."""
        return all(each.changes is not None for each in self.to_next)

    @property
    def commands(self) -> tuple[str, ...]:
        """Return the commands that bring what is here to the next stack."""
        accept = " --accept-breaking" if self.breaks else ""
        return (
            f"./deploy.sh promote {self.name} {self.next}{accept}",
            f"git diff Pulumi.{self.next}.yaml",
            f"./deploy.sh -s {self.next}",
        )


@dataclass(frozen=True)
class Revision:
    """Holds a service in the table of images: what each stack has, and where it is newer than in the next one."""

    name: str
    title: str
    images: Mapping[str, DeployedService | None]
    newer: Mapping[str, Promotion]

    @property
    def is_same(self) -> bool:
        """Return whether all stacks have the same image."""
        return len({image.digest if image else "" for image in self.images.values()}) == 1

    @property
    def only_in(self) -> list[str]:
        """Return the stacks that have the service, if others do not."""
        having = [stack for stack, image in self.images.items() if image]
        return having if len(having) < len(self.images) else []

    def effects(self, stack: str) -> list[tuple[Effect, int]]:
        """Return the effects of a stack's contract on the next one, with their numbers."""
        promotion = self.newer[stack]
        counts = [(effect, promotion.count(effect)) for effect in Effect]
        return [(effect, count) for effect, count in counts if count]


@dataclass(frozen=True)
class DeploymentLine:
    """Holds a deployment of the history; fields that its line lacks are empty.

    Attributes:
        lost: Calls that the gateway could not pass on meanwhile; None when its calls are no longer recorded.
    """

    at: float
    outcome: str
    operations: Mapping[str, int]
    seconds: float | None
    reason: str
    who: str
    commit: str
    lost: int | None


@dataclass(frozen=True)
class DriftLine:
    """Holds what differs on the engine: the resource, how it differs, and what brings it back."""

    resource: str
    details: str
    way_back: str


def routes(console: Console, renderer: Renderer) -> APIRouter:
    """Return the route of the page."""
    router = APIRouter()

    @router.get(f"{BASE}/changes")
    async def changes(request: Request, only: str = "") -> Response:
        session_of(console, request)
        view = frame(console)
        drift = console.files.newest("drift")
        known = stacks(console)
        revisions = _revisions(console, known)
        deployments = [event for event in console.files.history if event.kind == "deployment"]
        return renderer.page(
            request,
            "changes.html",
            "changes",
            frame=view,
            stages=_stages(console, known),
            names=list(known),
            revisions=[each for each in revisions if only != "diff" or not each.is_same],
            different=sum(not each.is_same for each in revisions),
            all_revisions=len(revisions),
            only=only if only == "diff" else "",
            gateways={name: each for name, each in known.items() if each.gateway_digest},
            settings=_different_settings(known),
            deployments=[_deployment(console, event, view.facts.now) for event in deployments[:_SHOWN]],
            this_month=sum(view.facts.now - event.at < _MONTH for event in deployments),
            drift=drift,
            differences=[_difference(each) for each in (drift.content.get("differences") or ())] if drift else [],
        )

    return router


def _stages(console: Console, known: Mapping[str, Deployment]) -> list[Stage]:
    names = list(known)
    found = []
    for name, following in zip(names, [*names[1:], ""], strict=True):
        is_here = name == console.settings.stack
        if not following:
            found.append(Stage(name, known[name], is_here))
            continue
        mine, theirs = known[name].services.keys(), known[following].services.keys()
        counts = {name: len(mine - theirs), following: len(theirs - mine)}
        alone = {stack: count for stack, count in counts.items() if count}
        to_next = tuple(between(console, name, following))
        found.append(Stage(name, known[name], is_here, following, to_next, len(mine & theirs), alone))
    return found


def _revisions(console: Console, known: Mapping[str, Deployment]) -> list[Revision]:
    """Return the services of all stacks: those that differ first."""
    names = list(known)
    newer: dict[str, dict[str, Promotion]] = {}
    for name, following in itertools.pairwise(names):
        for promotion in between(console, name, following):
            newer.setdefault(promotion.name, {})[name] = promotion
    services = {name: each.title for deployment in known.values() for name, each in deployment.services.items()}
    found = [
        Revision(name, title, {stack: each.services.get(name) for stack, each in known.items()}, newer.get(name, {}))
        for name, title in services.items()
    ]
    return sorted(found, key=lambda each: (each.is_same, not each.newer, each.title))


def _different_settings(known: Mapping[str, Deployment]) -> dict[str, list[str]]:
    """Return the settings that stacks have otherwise, by name: the value of each stack, "" for none."""
    names = sorted({name for each in known.values() for name in each.settings})
    rows = {name: [each.settings.get(name, "") for each in known.values()] for name in names}
    return {name: values for name, values in rows.items() if len(set(values)) > 1}


def _deployment(console: Console, event: Event, now: float) -> DeploymentLine:
    content = event.content
    operations, seconds = content.get("operations"), content.get("seconds")
    took = float(seconds) if isinstance(seconds, int | float) else None
    is_recorded = took is not None and now - event.at < _DAY
    return DeploymentLine(
        event.at,
        str(content.get("outcome", "")),
        operations if isinstance(operations, dict) else {},
        took,
        str(content.get("reason") or ""),
        str(content.get("who") or ""),
        str(content.get("commit") or ""),
        usage.lost_between(console.store, event.at, event.at + (took or 0)) if is_recorded else None,
    )


def _difference(entry: Any) -> DriftLine:
    if not isinstance(entry, dict):
        return DriftLine(str(entry), "", "")
    names = ("resource", "details", "way_back")
    return DriftLine(*(str(entry.get(name) or "") for name in names))
