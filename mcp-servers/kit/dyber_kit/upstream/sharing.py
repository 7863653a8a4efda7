"""Lets equal calls at the same time share one piece of work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

Result = TypeVar("Result")


class SharedWork:
    """Runs one piece of work per key for all who want its result at the same time.

    The work goes on while anybody still waits for it, and is cancelled when the last caller has gone. Its error goes
    to all of them. Nothing is kept afterwards: that is a cache's business.
    """

    def __init__(self) -> None:
        self._running: dict[str, _Work] = {}

    async def run(self, key: str, work: Callable[[], Awaitable[Result]]) -> Result:
        """Return what `work()` returns, or what equal work that runs already returns. All callers get one object."""
        current = self._running.get(key)
        if current is None:
            current = self._running[key] = _Work(asyncio.ensure_future(work()))
        current.waiting += 1
        try:
            return await asyncio.shield(current.task)
        finally:
            current.waiting -= 1
            if not current.waiting:
                # The next caller starts anew, and does not join work that is being stopped.
                del self._running[key]
                current.task.cancel()


@dataclass(eq=False)
class _Work:
    """Holds a running task, which is cancelled when nobody waits for it any more."""

    task: asyncio.Future[Any]
    waiting: int = 0
