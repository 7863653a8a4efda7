"""Keeps what each service lists at present, and how it is: the catalogue of the deployment, refreshed while it runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from dyber_hub.catalogue import Catalogue, Group, Item, Service, Tool

logger = logging.getLogger("dyber.hub")

Listener = Callable[[], None]
Listed = TypeVar("Listed", tuple[Tool, ...], tuple[Item, ...])


class State(StrEnum):
    """Names how a service is, as lists report it."""

    OK = "ok"
    """It answered the last time that it was asked for its lists."""
    STARTING = "starting"
    """It has not been asked yet since the hub started; its tools are those of the deployment."""
    DOWN = "down"
    """It does not answer; its tools stay listed, and calls of them say when to try again."""
    UNKNOWN = "unknown"
    """Its tools are not known: it has not answered yet, and the deployment knows no list of them."""


@dataclass(frozen=True)
class Offers:
    """Holds what a service listed; each list is as clients get it, in the service's order."""

    instructions: str | None
    tools: tuple[Item, ...]
    prompts: tuple[Item, ...] = ()
    resources: tuple[Item, ...] = ()
    resource_templates: tuple[Item, ...] = ()


class LiveCatalogue:
    """Holds the services as they are at present; every list and every call is decided from here.

    The name of a tool leads to the same service always: a service whose list takes a name of another is not believed.

    Args:
        catalogue: What the deployment says.

    Attributes:
        version: A number that rises whenever a list or a state changes, so that stored answers can be thrown away.
        offers_version: A number that rises whenever a list changes.
        services: The services by name, in the order of their names.
        groups: The groups by name.
        search: Whether the deployment has the address for search.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.version = 0
        self.offers_version = 0
        self.services: dict[str, Service] = dict(catalogue.services)
        self._deployed = catalogue.services
        self.groups: dict[str, Group] = catalogue.groups
        self.search = catalogue.search
        self._answered: dict[str, bool | None] = dict.fromkeys(self.services)
        self._reviewed = {
            service.shown(tool.name).casefold(): service.name
            for service in self.services.values()
            for tool in service.tools or ()
        }
        self._listeners: dict[object, Listener] = {}
        self._taken: dict[str, set[str]] = {}
        self._shared: set[tuple[str, str, str]] = set()
        self._warn_of_shared()

    def state(self, service: str) -> State:
        """Return how a service is."""
        if self.services[service].tools is None:
            return State.UNKNOWN
        answered = self._answered[service]
        return State.STARTING if answered is None else State.OK if answered else State.DOWN

    def changed_tools(self, service: str) -> int:
        """Return how many tools a service lists unlike the deployment, or lists more or fewer of.

        0 also while the service has not answered, or the deployment knows no list of it.
        """
        deployed, listed = self._deployed[service].tools, self.services[service].tools
        if deployed is None or listed is None or deployed == listed:
            return 0
        before, after = ({tool.name: _without_account(tool.entry) for tool in tools} for tools in (deployed, listed))
        return sum(before.get(name) != after.get(name) for name in before.keys() | after.keys())

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` in the event loop after each change of a list; return the function that ends this."""
        token = object()
        self._listeners[token] = listener

        def end() -> None:
            self._listeners.pop(token, None)

        return end

    def note_offers(self, name: str, offers: Offers) -> None:
        """Take over what a service lists, which replaces what was known of it.

        Lists that mean the same as before, with the fields of an item in another order, are no change.
        """
        before, deployed = self.services[name], self._deployed[name]
        tools = self._believed(name, offers.tools)
        after = replace(
            before,
            tools=_first_alike(tools, deployed.tools, before.tools),
            prompts=_first_alike(offers.prompts, deployed.prompts, before.prompts),
            resources=_first_alike(offers.resources, deployed.resources, before.resources),
            resource_templates=_first_alike(
                offers.resource_templates, deployed.resource_templates, before.resource_templates
            ),
        )
        has_new_state = self._answered[name] is not True
        self._answered[name] = True
        self.services[name] = replace(after, instructions=offers.instructions or before.instructions)
        if after != before:
            self.version += 1
            self.offers_version += 1
            self._warn_of_shared()
            logger.info("lists changed", extra={"listed": name, "tools": len(after.tools or ())})
            for listener in list(self._listeners.values()):
                listener()
        elif has_new_state:
            self.version += 1

    def note_silence(self, name: str) -> None:
        """Note that a service does not answer; what it listed before stays known."""
        if self._answered[name] is not False:
            self._answered[name] = False
            self.version += 1

    def _warn_of_shared(self) -> None:
        """Log each prompt and each address that two services have, when that is new; requests go to the first of them."""
        shared: set[tuple[str, str, str]] = set()
        first: dict[tuple[str, str], str] = {}
        for service in self.services.values():
            for kind, key, entries in (
                ("prompt", "name", service.prompts),
                ("resource", "uri", service.resources),
                ("template", "uriTemplate", service.resource_templates),
            ):
                for entry in entries:
                    owner = first.setdefault((kind, str(entry[key])), service.name)
                    if owner != service.name:
                        shared.add((kind, str(entry[key]), service.name))
        for kind, name, service_name in sorted(shared - self._shared):
            extra = {"listed": service_name, "kind": kind, "item": name[:200], "used": first[kind, name]}
            logger.warning("item of two services", extra=extra)
        self._shared = shared

    def _believed(self, service: str, listed: Iterable[Item]) -> tuple[Tool, ...]:
        """Return the listed tools without those whose names belong to another service, or are listed twice."""
        taken = {
            other.shown(tool.name).casefold(): other.name
            for other in self.services.values()
            if other.name != service
            for tool in other.tools or ()
        } | self._reviewed
        believed: dict[str, Tool] = {}
        refused: set[str] = set()
        for entry in listed:
            name = self.services[service].shown(entry["name"]).casefold()
            if taken.get(name, service) != service or name in believed:
                refused.add(entry["name"])
            else:
                believed[name] = Tool.of(entry)
        for name in sorted(refused - self._taken.get(service, set())):
            logger.warning("tool name taken", extra={"listed": service, "tool": name})
        self._taken[service] = refused
        return tuple(believed.values())


def _without_account(entry: Item) -> Item:
    """Return a tool without the argument that chooses an account, which depends on how many accounts there are."""
    schema = entry.get("inputSchema") or {}
    arguments = {name: kept for name, kept in (schema.get("properties") or {}).items() if name != "account"}
    return {**entry, "inputSchema": {**schema, "properties": arguments}}


def _first_alike(listed: Listed, *known: Listed | None) -> Listed:
    """Return the first known list that means the same as `listed`, else `listed`.

    So a list has the same bytes in each replica, whenever that was started, and in whatever order a service has the
    fields of its items.
    """
    return next((same for same in known if same is not None and same == listed), listed)
