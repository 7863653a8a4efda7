"""Decides what an address of the hub offers: the whole stack at /mcp, or a group with its names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dyber_hub.catalogue import Group, GroupTool, Item, Service, Tool
from dyber_hub.live import LiveCatalogue
from dyber_hub.scopes import HubScope, allows

#: What metrics and stored lists call the address of the whole stack.
HUB = "hub"
#: What clients call it, in `serverInfo`, with `-<group>` for a group; the command writes the same names into their
#: configurations.
HUB_NAME = "dyber"
HUB_TITLE = "DyberPet"

#: What could be the name of a tool in a text.
NAME = re.compile(r"[A-Za-z0-9_.-]*[A-Za-z0-9_]")


@dataclass(frozen=True)
class ShownTool:
    """Represents a tool as an address shows it.

    Attributes:
        name: Its name at this address.
        service: Name of its service.
        tool: The tool with its canonical name, by which scopes, limits and metrics know it.
        entry: What clients get in a list.
    """

    name: str
    service: str
    tool: Tool
    entry: Item

    @property
    def is_renamed(self) -> bool:
        """Return whether the service knows the tool by another name."""
        return self.name != self.tool.name

    def allowed(self, scope: HubScope) -> bool:
        """Return whether the tool exists for a caller; lists and calls ask here."""
        return allows(scope, self.service, self.tool)


@dataclass(frozen=True)
class Offer:
    """Represents a prompt, a resource or a template of resources of a service, and the entry that clients get."""

    service: str
    entry: Item

    def allowed(self, scope: HubScope) -> bool:
        """Return whether the offer exists for a caller; lists and requests ask here."""
        return scope.of(self.service).allows_prompts_and_resources


@dataclass(frozen=True)
class Contents:
    """Holds everything that an address offers to a caller who may use all of it, in the order of its lists.

    Attributes:
        tools: Its tools by the names that it shows.
        prompts: Its prompts by name.
        resources: Its resources by address.
        templates: Its templates of resources by their pattern.
        completable: Names of the services with suggestions.
    """

    tools: dict[str, ShownTool] = field(default_factory=dict)
    prompts: dict[str, Offer] = field(default_factory=dict)
    resources: dict[str, Offer] = field(default_factory=dict)
    templates: dict[str, Offer] = field(default_factory=dict)
    completable: frozenset[str] = frozenset()

    def resource_service(self, uri: str, scope: HubScope) -> str | None:
        """Return the service that reads an address for a caller; None when there is none.

        That is the service that lists the address, else the one whose template has the longest fixed beginning of it,
        else the one that alone uses its scheme.
        """
        listed = self.resources.get(uri)
        if listed is not None:
            return listed.service if listed.allowed(scope) else None
        # A template that begins with a variable could mean any address, so it says nothing about this address.
        matching = [
            (len(beginning), offer.service)
            for pattern, offer in self.templates.items()
            if (beginning := _fixed_beginning(pattern)) and uri.startswith(beginning) and offer.allowed(scope)
        ]
        if matching:
            return max(matching, key=lambda match: match[0])[1]
        scheme = _scheme(uri)
        services = {
            offer.service
            for address, offer in (*self.resources.items(), *self.templates.items())
            if scheme and _scheme(address) == scheme and offer.allowed(scope)
        }
        return services.pop() if len(services) == 1 else None


class View:
    """Offers what is at one address of the hub.

    Args:
        live: The services as they are.
        group: The group that the address belongs to; None for the address of the whole stack.

    Attributes:
        name: Name of the address for clients, as in `serverInfo`.
        place: Its name in metrics and among stored lists, as a group may have the name of the hub.
        title: Its name for people.
    """

    def __init__(self, live: LiveCatalogue, group: Group | None = None) -> None:
        self.live = live
        self.group = group
        self.name = f"{HUB_NAME}-{group.name}" if group else HUB_NAME
        self.place = f"group:{group.name}" if group else HUB
        self.title = group.title if group else HUB_TITLE
        self._contents = Contents()
        self._version = -1

    @property
    def contents(self) -> Contents:
        """Return what the address offers at present."""
        if self._version != self.live.offers_version:
            self._contents = _group_contents(self.live, self.group) if self.group else _all_contents(self.live)
            self._version = self.live.offers_version
        return self._contents

    @property
    def services(self) -> list[Service]:
        """Return the services that the address has something of, in the order of their names."""
        if self.group is None:
            return list(self.live.services.values())
        names = {*self.group.services, *(tool.service for tool in self.group.tools)}
        return [service for service in self.live.services.values() if service.name in names]

    def visible_services(self, scope: HubScope) -> list[Service]:
        """Return the services of which the caller may use anything."""
        return [service for service in self.services if scope.reaches(service.name)]

    def tool(self, name: str, scope: HubScope) -> ShownTool | None:
        """Return the tool that a caller means by a name; None when there is none for this caller."""
        shown = self.contents.tools.get(name)
        return shown if shown is not None and shown.allowed(scope) else None

    def tools(self, scope: HubScope) -> list[ShownTool]:
        """Return the tools that exist for a caller."""
        return [shown for shown in self.contents.tools.values() if shown.allowed(scope)]

    def spellings(self, scope: HubScope) -> dict[str, str]:
        """Return the names of the tools that exist for a caller, by these names and by those in their services."""
        tools = self.tools(scope)
        return {tool.tool.name: tool.name for tool in tools} | {tool.name: tool.name for tool in tools}

    def has_anything(self, scope: HubScope) -> bool:
        """Return whether the caller may use anything at this address, as far as is known."""
        if any(service.tools is None for service in self.visible_services(scope)):
            return True
        contents = self.contents
        offers = (*contents.prompts.values(), *contents.resources.values(), *contents.templates.values())
        return any(tool.allowed(scope) for tool in contents.tools.values()) or any(
            offer.allowed(scope) for offer in offers
        )


def server_info(view: View, version: str) -> Item:
    """Return how the server of an address describes itself to clients."""
    return {"name": view.name, "version": version, "title": view.title}


def _all_contents(live: LiveCatalogue) -> Contents:
    services = list(live.services.values())
    return _contents(
        services,
        [_named_tool(service, tool) for service in services for tool in service.tools or ()],
    )


def _named_tool(service: Service, tool: Tool) -> ShownTool:
    """Return a tool with the name that it has at the address of all tools."""
    if not service.names:
        return ShownTool(tool.name, service.name, tool, tool.entry)
    exposed = service.shown(tool.name)
    entry: Item = {**tool.entry, "name": exposed}
    if isinstance(entry.get("description"), str):
        entry["description"] = _with_names(entry["description"], service.names)
    return ShownTool(exposed, service.name, tool, entry)


def _group_contents(live: LiveCatalogue, group: Group) -> Contents:
    known = {(service.name, tool.name): tool for service in live.services.values() for tool in service.tools or ()}
    renamed = [selected for selected in group.tools if selected.tool != selected.exposed]

    def names(service: str) -> dict[str, str]:
        # Descriptions name tools of their own service, and a few those of others.
        ordered = sorted(renamed, key=lambda selected: selected.service == service)
        return {selected.tool: selected.exposed for selected in ordered}

    return _contents(
        [live.services[name] for name in group.services],
        [
            _group_tool(selected, known[(selected.service, selected.tool)], names(selected.service))
            for selected in group.tools
            if (selected.service, selected.tool) in known
        ],
    )


def _contents(services: list[Service], tools: list[ShownTool]) -> Contents:
    return Contents(
        tools={tool.name: tool for tool in tools},
        prompts=_offers(services, lambda service: service.prompts, "name"),
        resources=_offers(services, lambda service: service.resources, "uri"),
        templates=_offers(services, lambda service: service.resource_templates, "uriTemplate"),
        completable=frozenset(service.name for service in services if service.completions),
    )


def _offers(services: list[Service], entries: Callable[[Service], tuple[Item, ...]], key: str) -> dict[str, Offer]:
    """Return the offers of all services by name or address; of those with the same, the first."""
    offers: dict[str, Offer] = {}
    for service in services:
        for entry in entries(service):
            offers.setdefault(str(entry[key]), Offer(service.name, entry))
    return offers


def _group_tool(selected: GroupTool, tool: Tool, exposed: Mapping[str, str]) -> ShownTool:
    """Return a tool as its group shows it; `exposed` has the names of the group's renamed tools by their canonical ones.

    A group may say that a tool does more than read, but not that it only reads.
    """
    entry: Item = {**tool.entry, "name": selected.exposed}
    hints: Item = dict(tool.entry.get("annotations") or {})
    if selected.title is not None:
        entry["title"] = selected.title
        if "title" in hints:
            hints["title"] = selected.title
    if selected.description is not None:
        entry["description"] = selected.description
    elif exposed and isinstance(tool.entry.get("description"), str):
        entry["description"] = _with_names(tool.entry["description"], exposed)
    hints |= {
        name: value
        for name, value in selected.annotations.items()
        if name != "readOnlyHint" or value is False or tool.read_only
    }
    if hints:
        entry["annotations"] = hints
    return ShownTool(selected.exposed, selected.service, tool, entry)


def _with_names(text: str, exposed: Mapping[str, str]) -> str:
    """Return a description in which the canonical names of tools are those that the group shows."""
    return NAME.sub(lambda name: exposed.get(name[0], name[0]), text)


def _fixed_beginning(pattern: str) -> str:
    """Return the part of a template of addresses before its first variable."""
    return pattern.partition("{")[0]


def _scheme(uri: str) -> str:
    scheme, colon, _ = uri.partition(":")
    return scheme.lower() if colon else ""
