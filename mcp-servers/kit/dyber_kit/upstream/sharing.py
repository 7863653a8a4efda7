"""Lets concurrent equal calls share one execution."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from dyber_kit.observing import tracing

Result = TypeVar("Result")


class SharedWork:
    """Runs the work for a key once for all callers that wait for its result at the same time.

    The work runs as long as a caller waits for it, and is cancelled when the last caller has left. Its error is raised
    for all of them. The result is not kept afterwards, as a cache would do.
    """

    def __init__(self) -> None:
        self._running: dict[str, _Work] = {}

    async def run(self, key: str, work: Callable[[], Awaitable[Result]]) -> Result:
        """Return the result of `work()`, or of the work that already runs for `key`; all get the same object."""
        current = self._running.get(key)
        if current is None:
            current = self._running[key] = _Work(asyncio.ensure_future(work()))
        current.waiting += 1
        try:
            if current.waiting == 1:
                return await asyncio.shield(current.task)
            # The spans of the work are those of the first caller.
            with tracing.waiting("same request"):
                return await asyncio.shield(current.task)
        finally:
            current.waiting -= 1
            if not current.waiting:
                # The next caller must not join work that is being cancelled.
                del self._running[key]
                current.task.cancel()


@dataclass(eq=False)
class _Work:
    """Holds a running task and the number of callers that wait for it."""

    task: asyncio.Future[Any]
    waiting: int = 0
