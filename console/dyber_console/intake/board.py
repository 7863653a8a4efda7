"""Tells open pages which of their parts changed, by name and without values."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

#: The parts that can change: states of services, calls, logins, contracts, logs, and what deployments wrote.
PARTS = ("states", "calls", "logins", "contracts", "logs", "files")


class Board:
    """Collects the names of changed parts for each open page; a name that waits is not added again."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Event, set[str]] = {}

    def changed(self, part: str) -> None:
        """Tell all open pages that a part changed."""
        for event, names in self._waiting.items():
            names.add(part)
            event.set()

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[Watch]:
        """Yield a watch that gives the names of parts that change inside the block."""
        event = asyncio.Event()
        self._waiting[event] = set()
        try:
            yield Watch(event, self._waiting[event])
        finally:
            del self._waiting[event]


class Watch:
    """Gives the names of the parts that changed since it was asked last."""

    def __init__(self, event: asyncio.Event, names: set[str]) -> None:
        self._event = event
        self._names = names

    async def next(self, timeout: float) -> list[str]:
        """Return the names of the parts that changed, sorted; none after `timeout` seconds without a change."""
        try:
            await asyncio.wait_for(self._event.wait(), timeout)
        except TimeoutError:
            return []
        self._event.clear()
        names = sorted(self._names)
        self._names.clear()
        return names
