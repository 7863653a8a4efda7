"""Edits a stack's state, as `pulumi stack export` gives it and `pulumi stack import` takes it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pulumi import automation as auto


def edit(stack: auto.Stack, change: Callable[[dict[str, Any]], bool]) -> None:
    """Apply `change` to the state, and write the state to the backend if `change` returns True."""
    exported = stack.export_stack()
    state = dict(exported.deployment or {})
    if change(state):
        from pulumi import automation as auto

        stack.import_stack(auto.Deployment(version=exported.version, deployment=state))


def forget(stack: auto.Stack, names: Collection[str], kinds: Collection[str]) -> None:
    """Remove resources of these types and engine names from the state, as they no longer exist on the engine."""
    edit(
        stack,
        lambda state: remove_where(
            state, lambda item: item["type"] in kinds and (item.get("outputs") or {}).get("name") in names
        ),
    )


def remove(state: dict[str, Any], urns: Collection[str]) -> bool:
    """Remove resources from a state and from the dependencies of others; return whether there were any."""
    resources = list(state.get("resources") or [])
    kept = [item for item in resources if item["urn"] not in urns]
    if len(kept) == len(resources):
        return False
    for item in kept:
        if item.get("dependencies"):
            item["dependencies"] = _without(item["dependencies"], urns)
        for name, needed in (item.get("propertyDependencies") or {}).items():
            item["propertyDependencies"][name] = _without(needed or [], urns)
        if item.get("deletedWith") in urns:
            del item["deletedWith"]
    state["resources"] = kept
    state["pending_operations"] = [
        item for item in state.get("pending_operations") or [] if item["resource"]["urn"] not in urns
    ]
    return True


def remove_where(state: dict[str, Any], condition: Callable[[dict[str, Any]], bool]) -> bool:
    """Do the same as `remove` for the resources that meet a condition."""
    return remove(state, {item["urn"] for item in state.get("resources") or [] if condition(item)})


def _without(needed: list[str], urns: Collection[str]) -> list[str]:
    return [urn for urn in needed if urn not in urns]
