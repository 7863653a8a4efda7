"""Compares the tools of two contracts: which changes break callers, and which change a text that agents read.

Changes are judged from the caller's side, as `infra/services/contract_diff.py` judges them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from dyber_console.language import tr
from dyber_console.tools.schemas import properties, required

Tool = Mapping[str, Any]


class Effect(IntEnum):
    """Says what a change does to callers, the worst first."""

    BREAKS = 0
    READS = 1
    COMPATIBLE = 2

    @property
    def mark(self) -> str:
        """Return the sign of the effect."""
        return "✗~+"[self]

    @property
    def look(self) -> str:
        """Return the effect's name in classes."""
        return ("no", "read", "ok")[self]

    @property
    def words(self) -> str:
        """Return the effect in words."""
        return (tr("breaks callers"), tr("agents read something else"), tr("compatible"))[self]


@dataclass(frozen=True)
class Change:
    """Says how a tool changed; `before` and `after` are the text that agents read, where it changed."""

    tool: str
    effect: Effect
    text: str
    before: str = ""
    after: str = ""


def compare(before: Mapping[str, Tool], after: Mapping[str, Tool], complete: bool = True) -> list[Change]:
    """Return all changes between the tools of two contracts, by their names, the worst first.

    Args:
        before: The tools of the older contract, as lock files have them.
        after: Those of the newer.
        complete: Whether `after` has all tools, so that those which it lacks are gone.
    """
    changes: list[Change] = []
    for name in sorted({*before, *after}):
        if name not in after:
            if complete:
                changes.append(Change(name, Effect.BREAKS, tr("tool removed")))
        elif name not in before:
            text = tr("new tool (reads)") if reads_only(after[name]) else tr("new tool (writes)")
            changes.append(Change(name, Effect.COMPATIBLE, text, after=str(after[name].get("description", ""))))
        else:
            old, new = _content(before[name]), _content(after[name])
            if old != new:
                changes += [Change(name, *found) for found in _tool(old, new)] or [
                    Change(name, Effect.READS, tr("changed in other ways"))
                ]
    return sorted(changes, key=lambda change: (change.effect, change.tool))


def reads_only(tool: Tool) -> bool:
    """Return whether a tool says that it only reads."""
    return (tool.get("annotations") or {}).get("readOnlyHint") is True


def _content(tool: Tool) -> dict[str, Any]:
    return {key: value for key, value in tool.items() if key not in ("sha256", "_meta")}


_Found = tuple[Effect, str] | tuple[Effect, str, str, str]


def _tool(old: Tool, new: Tool) -> Iterator[_Found]:
    if old.get("description") != new.get("description"):
        texts = str(old.get("description", "")), str(new.get("description", ""))
        yield Effect.READS, tr("description changed, agents will read"), *texts
    if old.get("title") != new.get("title"):
        yield Effect.READS, tr("title changed, agents will read"), str(old.get("title", "")), str(new.get("title", ""))
    if reads_only(old) and not reads_only(new):
        yield Effect.BREAKS, tr("no longer only reads")
    elif (old.get("annotations") or {}) != (new.get("annotations") or {}):
        yield Effect.COMPATIBLE, tr("annotations changed")
    if old.get("inputSchema") != new.get("inputSchema"):
        yield from _arguments(old.get("inputSchema") or {}, new.get("inputSchema") or {})
    if old.get("outputSchema") != new.get("outputSchema"):
        yield from _results(old.get("outputSchema") or {}, new.get("outputSchema") or {})


def _arguments(old: Tool, new: Tool) -> Iterator[_Found]:
    before, after = properties(old), properties(new)
    demanded, now_demanded = required(old), required(new)
    added = [name for name in after if name not in before]
    for name in before:
        if name in after:
            continue
        successor = next((other for other in added if after[other] == before[name]), None)
        if successor is None:
            yield Effect.BREAKS, tr("argument {name} removed", name=name)
        else:
            added.remove(successor)
            yield Effect.BREAKS, tr("argument {name} is now called {successor}", name=name, successor=successor)
    for name in added:
        if name in now_demanded:
            yield Effect.BREAKS, tr("new required argument {name}", name=name)
        else:
            yield Effect.COMPATIBLE, tr("new optional argument {name}", name=name)
    for name in (name for name in before if name in after):
        if name in now_demanded - demanded:
            yield Effect.BREAKS, tr("argument {name} is now required", name=name)
        elif name in demanded - now_demanded:
            yield Effect.COMPATIBLE, tr("argument {name} is now optional", name=name)
        if before[name] != after[name]:
            yield _argument(name, before[name], after[name])


def _argument(name: str, old: Any, new: Any) -> _Found:
    """Return how an argument changed: a text that agents read, its default, or what it takes."""
    old, new = (entry if isinstance(entry, Mapping) else {} for entry in (old, new))
    changed = {key for key in {*old, *new} if old.get(key) != new.get(key)}
    if changed <= {"description", "title"}:
        text = tr("argument {name}: description changed, agents will read", name=name)
        return Effect.READS, text, str(old.get("description", "")), str(new.get("description", ""))
    if changed <= {"description", "title", "default"}:
        values = {"before": old.get("default"), "after": new.get("default")}
        return Effect.READS, tr("argument {name}: default {before} → {after}", name=name, **values)
    return Effect.BREAKS, tr("argument {name} takes other values", name=name)


def _results(old: Tool, new: Tool) -> Iterator[_Found]:
    before, after = properties(old), properties(new)
    gone = [name for name in before if name not in after]
    for name in gone:
        yield Effect.BREAKS, tr("result {name} removed", name=name)
    changed = [name for name in before if name in after and before[name] != after[name]]
    for name in changed:
        yield Effect.READS, tr("result {name} changed", name=name)
    for name in after:
        if name not in before:
            yield Effect.COMPATIBLE, tr("result {name} added", name=name)
