"""Asks the services for their lists in the background, so that no client's list has to wait for a service."""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass

import anyio
from dyber_kit.observing.logs import without_values
from mcp.shared.exceptions import MCPError
from mcp.types import METHOD_NOT_FOUND
from pydantic_core import to_json

from dyber_hub.catalogue import Item
from dyber_hub.forwarding.failures import Failure
from dyber_hub.forwarding.gateway import Gateway
from dyber_hub.live import LiveCatalogue, Offers, State

logger = logging.getLogger("dyber.hub")

#: What a list has at most, on all its pages together. More is no use to a client, and could use up the hub's memory.
MOST_ITEMS, MOST_BYTES = 1_000, 2_000_000
_MOST_PAGES = 50


@dataclass(frozen=True)
class Timings:
    """Holds how often the services are asked, and how long the hub waits for them, in seconds.

    Attributes:
        shortest: Shortest time between two refreshes of a service that answers.
        longest: Longest time between them; each is drawn anew, so that the services are not all asked at once.
        again: Time until a service that did not answer is asked again.
        answer: How long each answer may take.
        states: How often the gateway is asked how the services are.
    """

    shortest: float = 30.0
    longest: float = 60.0
    again: float = 5.0
    answer: float = 2.0
    states: float = 2.0


class Refresher:
    """Keeps the catalogue up to date.

    Args:
        live: The catalogue.
        gateway: Reaches the services.
        timings: How often and how long.
    """

    def __init__(self, live: LiveCatalogue, gateway: Gateway, timings: Timings | None = None) -> None:
        self._live = live
        self._gateway = gateway
        self._timings = timings or Timings()
        self._wake = {name: asyncio.Event() for name in live.services}
        self._unasked = set(live.services)

    @property
    def has_asked_all(self) -> bool:
        """Return whether every service has been asked, and has answered or failed to."""
        return not self._unasked

    async def run(self) -> None:
        """Refresh every service again and again, until cancelled."""
        async with anyio.create_task_group() as tasks:
            for name in self._live.services:
                tasks.start_soon(self._keep_fresh, name)
            tasks.start_soon(self._watch_states)

    async def refresh(self, name: str) -> None:
        """Ask a service for its lists, and note them or its silence."""
        try:
            self._live.note_offers(name, await self._offers(name))
        except (Failure, MCPError, TimeoutError, _UnusableListError) as error:
            self._live.note_silence(name)
            logger.info("service not listed", extra={"listed": name, "reason": str(error) or type(error).__name__})
        except Exception as error:  # The lists of the other services must go on.
            self._live.note_silence(name)
            logger.error("refresh crashed", extra={"listed": name}, exc_info=without_values(error))
        finally:
            self._unasked.discard(name)

    async def _keep_fresh(self, name: str) -> None:
        while True:
            await self.refresh(name)
            is_up = self._live.state(name) is State.OK
            pause = random.uniform(self._timings.shortest, self._timings.longest) if is_up else self._timings.again
            self._wake[name].clear()
            with anyio.move_on_after(pause):
                await self._wake[name].wait()

    async def _watch_states(self) -> None:
        """Note at once what the gateway learns about the services, which it checks every second."""
        while True:
            await anyio.sleep(self._timings.states)
            try:
                with anyio.fail_after(self._timings.answer):
                    states = await self._gateway.states()
            except (Failure, TimeoutError):
                continue
            for name in self._live.services:
                state = self._live.state(name)
                if states.get(name) == "down" and state is State.OK:
                    self._live.note_silence(name)
                elif states.get(name) in ("up", "degraded") and state is not State.OK:
                    self._wake[name].set()

    async def _offers(self, name: str) -> Offers:
        with anyio.fail_after(self._timings.answer):
            about = await self._gateway.ask(name, "server/discover")
        offered = about.get("capabilities") or {}
        lists = {"tools/list": ("tools", "name")}
        if "prompts" in offered:
            lists["prompts/list"] = ("prompts", "name")
        if "resources" in offered:
            lists["resources/list"] = ("resources", "uri")
            lists["resources/templates/list"] = ("resourceTemplates", "uriTemplate")
        listed = dict(
            zip(lists, await asyncio.gather(*(self._listed(name, *place) for place in lists.items())), strict=True)
        )
        instructions = about.get("instructions")
        return Offers(
            instructions=instructions if isinstance(instructions, str) else None,
            tools=listed["tools/list"],
            prompts=listed.get("prompts/list", ()),
            resources=listed.get("resources/list", ()),
            resource_templates=listed.get("resources/templates/list", ()),
        )

    async def _listed(self, name: str, method: str, place: tuple[str, str]) -> tuple[Item, ...]:
        """Return all items of a list, page by page.

        Raises:
            _UnusableListError: It has too many items, pages or bytes, or something in it is no item.
        """
        field, key = place
        items: list[Item] = []
        size = 0
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            try:
                with anyio.fail_after(self._timings.answer):
                    page = await self._gateway.ask(name, method, {} if cursor is None else {"cursor": cursor})
            except MCPError as error:
                if error.code == METHOD_NOT_FOUND and method != "tools/list":
                    return ()
                raise
            usable = _usable(page.get(field), key)
            size += len(to_json(usable))
            items += usable
            if len(items) > MOST_ITEMS or size > MOST_BYTES:
                raise _UnusableListError(f"{method} with more than {MOST_ITEMS} items or {MOST_BYTES} bytes")
            cursor = page.get("nextCursor")
            if not isinstance(cursor, str):
                return tuple(items)
        raise _UnusableListError(f"more than {_MOST_PAGES} pages")


class _UnusableListError(Exception):
    """Says what is wrong with a list that a service gave."""


def _usable(listed: object, key: str) -> list[Item]:
    """Return the items of a page. Raises _UnusableListError when it is none."""
    if not isinstance(listed, list) or not all(
        isinstance(item, dict) and isinstance(item.get(key), str) for item in listed
    ):
        raise _UnusableListError(f"a list without {key}")
    return listed
