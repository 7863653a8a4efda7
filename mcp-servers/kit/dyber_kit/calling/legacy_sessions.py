"""A legacy SSE session knows whether a call runs in it; `serving.legacy_sse` opens and ends sessions."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field

#: Without a POST or a running call for this long, in seconds, a session may be ended: its last answer has gone out.
QUIET_SECONDS = 0.5


@dataclass(eq=False)
class LegacySession:
    """One open stream."""

    calls: int = 0
    last_used: float = field(default_factory=time.monotonic)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def quiet(self) -> bool:
        """Nothing is running or on its way in."""
        return not self.calls and time.monotonic() - self.last_used >= QUIET_SECONDS

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """Counts a POST or a call as running."""
        self.calls += 1
        try:
            yield
        finally:
            self.calls -= 1
            self.last_used = time.monotonic()


#: The session a call came through; None for every other way.
current_session: ContextVar[LegacySession | None] = ContextVar("legacy_session", default=None)
