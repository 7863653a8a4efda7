"""Checks the names that the stack's file gives to tools at the hub's address of all tools."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping

from infra.schema.messages import listed
from infra.schema.problems import Problem
from infra.services.catalog import ServiceSpec
from infra.services.unique_names import LONGEST_NAME
from infra.settings.names import HUB_NAME
from infra.settings.services import ServiceSettings

#: The longest name of a tool with the prefix that client programs put before it, such as `mcp__dyber__`.
LONGEST_CALLED_NAME = 64
#: The names of the tools of the search, which no other tool may have.
SEARCH_TOOLS = ("find_tools", "call_tool", "list_services")


def problems(
    file: str, services: Mapping[str, ServiceSettings], catalog: Mapping[str, ServiceSpec]
) -> Iterator[Problem]:
    """Yield what is wrong with `services.<name>.tools` and `toolPrefix` in the stack's `file`; `catalog` are all services
    of the repository with the stack's values. Services that it does not have are left to others."""
    for service, settings in services.items():
        known = list(catalog[service].tools) if service in catalog else []
        yield from _prefix_problems(file, service, settings, known)
        for tool, change in settings.tools.items():
            path = ("services", service, "tools", tool)
            if known and tool not in known:
                yield unknown_tool(file, path, tool, known)
            if change.name is None:
                continue
            if change.name.lower() in SEARCH_TOOLS:
                yield Problem("hub_name_reserved", file, (*path, "name"), parameters={"name": change.name})
            yield from _too_long(file, (*path, "name"), change.name)


def _prefix_problems(file: str, service: str, settings: ServiceSettings, known: Collection[str]) -> Iterator[Problem]:
    """Yield a problem for each name that only the prefix of the service makes unusable."""
    path = ("services", service, "toolPrefix")
    for tool, name in settings.names_at_the_hub(known).items():
        if tool not in settings.tools or settings.tools[tool].name is None:
            yield from _too_long(file, path, name)
            if name.lower() in SEARCH_TOOLS:
                yield Problem("hub_name_reserved", file, path, parameters={"name": name})


def _too_long(file: str, path: tuple[str, ...], name: str) -> Iterator[Problem]:
    if len(name) > LONGEST_NAME:
        parameters = {"name": name, "prefix": f"mcp__{HUB_NAME}__", "most": LONGEST_CALLED_NAME}
        yield Problem("hub_name_long", file, path, parameters=parameters)


def unknown_tool(file: str, path: tuple[str, ...], tool: str, known: Collection[str]) -> Problem:
    """Return the problem of a tool that does not exist: with the nearest name, or all if none is near."""
    if near := difflib.get_close_matches(tool, known, n=1):
        return Problem("tool_misspelt", file, path, parameters={"tool": tool, "near": near[0]})
    return Problem("no_such_tool", file, path, parameters={"tool": tool, "known": listed(known)})
