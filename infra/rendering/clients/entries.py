"""Chooses the servers that a client's configuration has: the hub, a group of it, its search, or each service.

All functions take the stack's outputs `hub` and `services` (infra.outputs) and return servers by the names under which
programs show them, each {title, mcp, sse, max_call_seconds} like a service.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra.rendering.clients.formats import LONGEST_CALL_SECONDS
from infra.settings.names import HUB_NAME
from messages import tr

#: The end of the name under which programs show a search of tools. No group may have the name `search`.
SEARCH = "search"


class NoSuchEntryError(Exception):
    """The stack does not have the server that is asked for; the text says which it has, or how to get it."""


def hub_entry(hub: Mapping[str, Any], services: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the one server that has the tools of all services."""
    return {HUB_NAME: _entry(hub, services, "DyberPet", hub["mcp"], hub["sse"])}


def group_entry(
    hub: Mapping[str, Any] | None, services: Mapping[str, Any], group: str, option: str = ""
) -> dict[str, dict[str, Any]]:
    """Return the server of a group; `option` selects the stack in suggested commands. Raises NoSuchEntryError."""
    address = _group(hub, group, option)
    return {f"{HUB_NAME}-{group}": _entry(hub or {}, services, address["title"], address["mcp"], address["sse"])}


def _group(hub: Mapping[str, Any] | None, group: str, option: str) -> Mapping[str, Any]:
    """Return the addresses and the title of a group. Raises NoSuchEntryError."""
    groups = _required(hub, option).get("groups", {})
    if group not in groups:
        known = ", ".join(sorted(groups))
        raise NoSuchEntryError(
            tr("there is no group {group!r}; known: {known}", group=group, known=known)
            if groups
            else tr("the stack has no groups; they are the setting groups, see docs/hub.en.md")
        )
    addresses: Mapping[str, Any] = groups[group]
    return addresses


def search_entry(
    hub: Mapping[str, Any] | None, services: Mapping[str, Any], option: str = "", group: str | None = None
) -> dict[str, dict[str, Any]]:
    """Return the server that has tools for searching all tools, or those of a group; `option` as for `group_entry`.

    Raises NoSuchEntryError.
    """
    place = _required(hub, option) if group is None else _group(hub, group, option)
    address = place.get(SEARCH)
    if not address:
        raise NoSuchEntryError(
            tr(
                "the search of tools is off; turn it on: ./deploy.sh config set hub.search true{option}, then "
                "./deploy.sh{option}",
                option=option,
            )
        )
    name = f"{HUB_NAME}-{SEARCH}" if group is None else f"{HUB_NAME}-{group}-{SEARCH}"
    title = tr("DyberPet, search of tools") if group is None else tr("{title}, search of tools", title=place["title"])
    return {name: _entry(hub or {}, services, title, address, f"{address}/sse")}


def no_hub_hint(option: str = "", hub_is_written: bool = False) -> str:
    """Return why a configuration has each service, and how to get a hub; `option` as for `group_entry`.

    `hub_is_written` tells whether the stack's file has the hub, so that it is only not deployed yet.
    """
    if hub_is_written:
        return tr(
            "the hub is not deployed yet, so each service has an entry of its own; for one address with all tools run "
            "./deploy.sh{option} first",
            option=option,
        )
    return tr(
        "this stack has no hub, so each service has an entry of its own; for one address with all tools: "
        "./deploy.sh config set hub.enabled true{option}, then ./deploy.sh{option}",
        option=option,
    )


def _required(hub: Mapping[str, Any] | None, option: str) -> Mapping[str, Any]:
    if hub is None:
        raise NoSuchEntryError(
            tr(
                "this stack has no hub, so it has neither groups nor the search of tools: ./deploy.sh config set "
                "hub.enabled true{option}, then ./deploy.sh{option}",
                option=option,
            )
        )
    return hub


def _entry(hub: Mapping[str, Any], services: Mapping[str, Any], title: str, mcp: str, sse: str) -> dict[str, Any]:
    """Return a server whose longest call is that of all services, as any of them may answer a call."""
    longest = hub.get("max_call_seconds") or max(
        (service.get("max_call_seconds", LONGEST_CALL_SECONDS) for service in services.values()),
        default=LONGEST_CALL_SECONDS,
    )
    return {"title": title, "mcp": mcp, "sse": sse, "max_call_seconds": longest}
