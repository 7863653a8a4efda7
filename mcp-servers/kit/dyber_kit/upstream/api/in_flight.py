"""Limits how many requests to a platform are in flight, and holds them back while the platform's limit is used up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from dyber_kit.errors import ErrorCode, LocalRefusal
from dyber_kit.language import tr_lazy
from dyber_kit.observing import tracing


class InFlight:
    """Gives requests one of a number of slots.

    Args:
        size: Number of slots.
        queue_seconds: Longest wait for a free slot.
        patience_seconds: Longest pause for the platform's limit that a request waits for.
    """

    def __init__(self, size: int, queue_seconds: float, patience_seconds: float) -> None:
        self._free = asyncio.Semaphore(size)
        self._queue_seconds = queue_seconds
        self._patience_seconds = patience_seconds

    @asynccontextmanager
    async def slot(self, pause: Callable[[], float]) -> AsyncIterator[None]:
        """Hold a slot, which others use while this request has to pause.

        Args:
            pause: Returns the seconds until the platform accepts the request.

        Raises:
            ServiceError: RATE_LIMITED for a pause that is too long to wait; BUSY when no slot becomes free in time.
        """
        with tracing.waiting("platform limit"):
            while True:
                await self._wait(pause())
                await self._take()
                if pause() <= 0:
                    break
                self._free.release()
        try:
            yield
        finally:
            self._free.release()

    async def _wait(self, seconds: float) -> None:
        if seconds > self._patience_seconds:
            raise LocalRefusal(
                ErrorCode.RATE_LIMITED,
                tr_lazy("The number of calls that the platform allows is used up for now"),
                retry_after=seconds,
            )
        if seconds > 0:
            await anyio.sleep(seconds)

    async def _take(self) -> None:
        with anyio.move_on_after(self._queue_seconds) as waited:
            await self._free.acquire()
        if waited.cancelled_caught:
            raise LocalRefusal(
                ErrorCode.BUSY,
                tr_lazy("There are too many requests to the platform, and this one got no turn"),
                retry_after=self._queue_seconds,
            )
