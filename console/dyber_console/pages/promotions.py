"""Compares the stacks that this machine knows: which services differ, and what their contracts do to callers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dyber_console.gathering import stacks
from dyber_console.intake.deployment import DeployedService
from dyber_console.pages.frame import Entry
from dyber_console.records import usage
from dyber_console.state import Console
from dyber_console.tools.contract_changes import Change, Effect, compare


@dataclass(frozen=True)
class Promotion:
    """Holds how a service of a stack differs from the same service of the next stack.

    Attributes:
        source: The stack that has the newer image.
        target: The stack that would get it.
        changes: How the contract changes for the target; None when a contract is not known.
        callers: Clients of this stack that called a tool in 30 days which would break.
    """

    name: str
    source: str
    target: str
    newer: DeployedService
    older: DeployedService
    changes: tuple[Change, ...] | None
    callers: tuple[str, ...] = ()

    def count(self, effect: Effect) -> int:
        """Return how many changes have an effect."""
        return sum(change.effect is effect for change in self.changes or ())

    @property
    def breaks(self) -> int:
        """Return how many changes break callers."""
        return self.count(Effect.BREAKS)


def promotions(console: Console, entries: Sequence[Entry]) -> list[Promotion]:
    """Return what would come to this stack from the one before it: services whose images and contracts differ."""
    names = list(stacks(console))
    place = names.index(console.settings.stack)
    found = []
    for source in names[:place]:
        found += [each for each in between(console, source, console.settings.stack) if each.changes]
    known = {entry.name for entry in entries}
    return [each for each in found if each.name in known]


def between(console: Console, source: str, target: str) -> list[Promotion]:
    """Return the services whose images differ between two stacks, by name."""
    known = stacks(console)
    newer, older = known[source].services, known[target].services
    return [
        _promotion(console, name, source, target, newer[name], older[name])
        for name in sorted(newer)
        if name in older and newer[name].digest != older[name].digest
    ]


def _promotion(
    console: Console, name: str, source: str, target: str, newer: DeployedService, older: DeployedService
) -> Promotion:
    before, after = contract(console, target, name), contract(console, source, name)
    if before is None or after is None:
        same = bool(newer.contract) and newer.contract == older.contract
        return Promotion(name, source, target, newer, older, () if same else None)
    changes = tuple(compare(before.get("tools") or {}, after.get("tools") or {}))
    broken = {change.tool for change in changes if change.effect is Effect.BREAKS}
    callers = usage.callers(console.store, name, broken) if broken and target == console.settings.stack else ()
    return Promotion(name, source, target, newer, older, changes, tuple(callers))


def contract(console: Console, stack: str, name: str) -> dict[str, Any] | None:
    """Return the contract of a service in a stack, or None when it is not known."""
    here = stack == console.settings.stack
    return (console.files.contracts() if here else console.files.contracts_of(stack)).get(name)
