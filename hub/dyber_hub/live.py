"""Keeps what each service lists at present, and how it is: the catalogue of the deployment, refreshed while it runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from dyber_hub.catalogue import Catalogue, Group, Item, Service, Tool

logger = logging.getLogger("dyber.hub")

Listener = Callable[[], None]


class State(StrEnum):
    """Names how a service is, as lists report it."""

    OK = "ok"
    """It answered the last time that it was asked for its lists."""
    STARTING = "starting"
    """It has not been asked yet, or not answered since the hub started; its tools are those of the deployment."""
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
        self.groups: dict[str, Group] = catalogue.groups
        self.search = catalogue.search
        self._answered: dict[str, bool | None] = dict.fromkeys(self.services)
        self._reviewed = {
            tool.name.casefold(): service.name for service in self.services.values() for tool in service.tools or ()
        }
        self._listeners: dict[object, Listener] = {}

    def state(self, service: str) -> State:
        """Return how a service is."""
        if self.services[service].tools is None:
            return State.UNKNOWN
        answered = self._answered[service]
        return State.STARTING if answered is None else State.OK if answered else State.DOWN

    def tool(self, name: str) -> tuple[Service, Tool] | None:
        """Return the service that has a tool with this canonical name, and the tool; None when no service has it."""
        for service in self.services.values():
            for tool in service.tools or ():
                if tool.name == name:
                    return service, tool
        return None

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` in the event loop after each change of a list; return the function that ends this."""
        token = object()
        self._listeners[token] = listener

        def end() -> None:
            self._listeners.pop(token, None)

        return end

    def note_offers(self, name: str, offers: Offers) -> None:
        """Take over what a service lists, which replaces what was known of it."""
        before = self.services[name]
        after = replace(
            before,
            instructions=offers.instructions or before.instructions,
            tools=tuple(self._believed(name, offers.tools)),
            prompts=offers.prompts,
            resources=offers.resources,
            resource_templates=offers.resource_templates,
        )
        has_new_state = self._answered[name] is not True
        self._answered[name] = True
        if after != before:
            self.services[name] = after
            self.version += 1
            self.offers_version += 1
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

    def _believed(self, service: str, listed: Iterable[Item]) -> Iterable[Tool]:
        """Return the listed tools without those whose names belong to another service, or are listed twice."""
        taken = {
            tool.name.casefold(): other.name
            for other in self.services.values()
            if other.name != service
            for tool in other.tools or ()
        } | self._reviewed
        seen: set[str] = set()
        for entry in listed:
            name = entry["name"].casefold()
            if taken.get(name, service) != service or name in seen:
                logger.warning("tool name taken", extra={"listed": service, "tool": entry["name"]})
                continue
            seen.add(name)
            yield Tool.of(entry)
