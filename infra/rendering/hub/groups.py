"""Resolves the groups of a stack: which tools each offers, and under which names."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.rendering.hub.names import LONGEST_CALLED_NAME, SEARCH_TOOLS, unknown_tool
from infra.schema.corrections import yaml_lines
from infra.schema.messages import listed
from infra.schema.problems import Problem
from infra.services.catalog import ServiceSpec
from infra.services.offers import Offers
from infra.settings.hub import GroupSettings, GroupToolSettings
from infra.settings.names import NAMESPACE

_EXPOSED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


@dataclass(frozen=True)
class GroupTool:
    """A tool of a group: its name there, and its service and name there. Title and description are None, and
    `annotations` empty, where the group shows what the service says."""

    exposed: str
    service: str
    tool: str
    title: str | None = None
    description: str | None = None
    annotations: Mapping[str, bool] = field(default_factory=dict)

    @property
    def is_renamed(self) -> bool:
        """Whether the group offers the tool under another name."""
        return self.exposed != self.tool


@dataclass(frozen=True)
class Group:
    """A group of tools. `services` are those whose prompts, resources and completions belong to the group."""

    name: str
    title: str
    description: str
    instructions: str | None
    services: tuple[str, ...]
    tools: tuple[GroupTool, ...]


def resolve(name: str, settings: GroupSettings, offers: Mapping[str, Offers]) -> Group:
    """Return a group with its tools, in the order of the services and of their tools; `offers` are those of the
    services that run, by name. What `problems` complains about is left out."""
    tools = []
    for service, offer in offers.items():
        for tool in _chosen(settings, offer) if service in settings.services else ():
            known = offer.name_at_the_hub(tool)
            change = settings.tools.get(known, GroupToolSettings())
            tools.append(
                GroupTool(
                    change.name or known, service, tool, change.title, change.description, change.annotations.given
                )
            )
    return Group(
        name,
        settings.title,
        settings.description,
        settings.instructions,
        tuple(service for service in offers if service in settings.services),
        tuple(tools),
    )


def _chosen(settings: GroupSettings, offers: Offers) -> list[str]:
    scope = settings.services[offers.service]
    return [
        tool
        for tool in offers.tools
        if offers.name_at_the_hub(tool) not in settings.exclude
        and (scope == "all" or (tool in offers.reading if scope == "read" else tool in scope))
    ]


def problems(
    file: str,
    name: str,
    settings: GroupSettings,
    offers: Mapping[str, Offers],
    catalog: Mapping[str, ServiceSpec],
    renamed: Mapping[str, Mapping[str, str]] | None = None,
) -> Iterator[Problem]:
    """Yield what is wrong with a group in the stack's `file`.

    `offers` are those of the services that run, `catalog` all services of the repository with the stack's values. A
    service that does not run is no problem, as for scopes of clients, but the names of its tools are checked too.
    `renamed` are the names at the hub of tools that have another name there, by service and tool; `exclude` and `tools`
    of a group have those, `services` the names in the service.
    """
    path = ("groups", name)
    wrong = [
        *_unknown_services(file, path, settings, catalog),
        *_unknown_tools(file, path, settings, catalog, renamed or {}),
        *(
            Problem("group_tools_unknown", file, (*path, "services", service), parameters={"service": service})
            for service in settings.services
            if service in offers and not catalog[service].tools
        ),
    ]
    group = resolve(name, settings, offers)
    if not group.tools and not wrong:
        wrong.append(_without_tools(file, path, settings, offers, catalog))
    yield from wrong
    yield from _unusable_names(file, path, group)
    yield from _false_hints(file, path, settings, {service: offers[service] for service in group.services})


def _without_tools(
    file: str,
    path: tuple[str, ...],
    settings: GroupSettings,
    offers: Mapping[str, Offers],
    catalog: Mapping[str, ServiceSpec],
) -> Problem:
    """Return the problem of a group of which nothing is left, with the services that would have to run."""
    off = [catalog[service] for service in settings.services if service not in offers]
    if not off:
        return Problem("group_without_tools", file, path, parameters={"group": path[-1]})
    profiles = sorted({spec.profile for spec in off if spec.profile})
    parameters = {"group": path[-1], "services": listed(spec.name for spec in off), "profiles": listed(profiles)}
    message = "group_services_off" if profiles else "group_services_disabled"
    return Problem(message, file, path, parameters=parameters)


def _unknown_services(
    file: str, path: tuple[str, ...], settings: GroupSettings, catalog: Mapping[str, ServiceSpec]
) -> Iterator[Problem]:
    """Yield a problem for each service that a group names and that the repository does not have."""
    for service in settings.services:
        if service in catalog:
            continue
        place = (*path, "services", service)
        if near := difflib.get_close_matches(service, catalog, n=1):
            yield Problem("service_misspelt", file, place, parameters={"near": near[0]})
        else:
            yield Problem("no_such_service", file, place, parameters={"known": listed(catalog)})


def _unknown_tools(
    file: str,
    path: tuple[str, ...],
    settings: GroupSettings,
    catalog: Mapping[str, ServiceSpec],
    renamed: Mapping[str, Mapping[str, str]],
) -> Iterator[Problem]:
    """Yield a problem for each tool that a group names and that none of its services has."""
    tools = {service: list(catalog[service].tools) if service in catalog else [] for service in settings.services}
    for service, scope in settings.services.items():
        if not isinstance(scope, str) and tools[service]:
            place = (*path, "services", service)
            yield from (unknown_tool(file, place, tool, tools[service]) for tool in scope if tool not in tools[service])
    if not all(tools.values()):
        # A tool may be that of a service whose tools are not known.
        return
    names = [renamed.get(service, {}).get(tool, tool) for service, known in tools.items() for tool in known]
    yield from (unknown_tool(file, (*path, "exclude"), tool, names) for tool in settings.exclude if tool not in names)
    yield from (unknown_tool(file, (*path, "tools", tool), tool, names) for tool in settings.tools if tool not in names)


def _unusable_names(file: str, path: tuple[str, ...], group: Group) -> Iterator[Problem]:
    """Yield a problem for each name in a group that comes twice, that clients cannot use, or that is too long."""
    first: dict[str, GroupTool] = {}
    longest = LONGEST_CALLED_NAME - len(f"mcp__{group.name}__")
    for tool in group.tools:
        place = (*path, "tools", tool.tool, "name")
        another = tuple(yaml_lines(place, _shorter(tool.exposed, longest), prefix=f"{NAMESPACE}:"))
        other = first.setdefault(tool.exposed.lower(), tool)
        if other != tool:
            renamed = tool if tool.is_renamed else other
            parameters = {"name": tool.exposed, "tool": tool.tool, "other": other.tool}
            yield Problem("group_name_twice", file, (*path, "tools", renamed.tool, "name"), parameters=parameters)
        if tool.exposed.lower() in SEARCH_TOOLS:
            yield Problem("group_name_reserved", file, place, parameters={"name": tool.exposed})
        if not set(tool.exposed) <= _EXPOSED:
            yield Problem("group_name_form", file, place, parameters={"name": tool.exposed}, instead=another)
        elif len(tool.exposed) > longest:
            prefix = {"prefix": f"mcp__{group.name}__", "most": LONGEST_CALLED_NAME}
            yield Problem("group_name_long", file, place, parameters={"name": tool.exposed, **prefix}, instead=another)


def _shorter(name: str, longest: int) -> str:
    """Return a name that a group could use instead."""
    return "".join(character if character in _EXPOSED else "_" for character in name)[:longest].strip("_-") or "tool"


def _false_hints(
    file: str, path: tuple[str, ...], settings: GroupSettings, chosen: Mapping[str, Offers]
) -> Iterator[Problem]:
    """Yield a problem for each hint with which a group would call a tool more harmless than its service does."""
    tools = {offer.name_at_the_hub(tool): (offer, tool) for offer in chosen.values() for tool in offer.tools}
    for known, change in settings.tools.items():
        if known not in tools:
            continue
        offer, tool = tools[known]
        reads = tool in offer.reading
        annotations: Mapping[str, Any] = offer.tools[tool].get("annotations") or {}
        is_harmless = reads or annotations.get("destructiveHint") is False
        place = (*path, "tools", known, "annotations")
        parameters = {"tool": tool, "service": offer.service}
        if change.annotations.read_only_hint and not reads:
            yield Problem("group_hint_read_only", file, (*place, "readOnlyHint"), True, parameters)
        if change.annotations.destructive_hint is False and not is_harmless:
            yield Problem("group_hint_destructive", file, (*place, "destructiveHint"), False, parameters)
