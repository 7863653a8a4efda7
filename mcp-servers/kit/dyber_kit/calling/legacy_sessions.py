"""Counts the calls that run in a legacy SSE session; `serving.mcp.legacy_sse` opens and ends sessions."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field

#: Seconds without a POST or a running call after which a session may be ended: its last answer has been sent by then.
QUIET_SECONDS = 0.5


@dataclass(eq=False)
class LegacySession:
    """Represents the session of one open event stream; `client` is the client that opened it."""

    client: str = "-"
    calls: int = 0
    last_used: float = field(default_factory=time.monotonic)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def quiet(self) -> bool:
        """Return whether no call is running or about to arrive."""
        return not self.calls and time.monotonic() - self.last_used >= QUIET_SECONDS

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """Count a POST or a call as running."""
        self.calls += 1
        try:
            yield
        finally:
            self.calls -= 1
            self.last_used = time.monotonic()


#: The session through which a call came; None for calls over other transports.
current_session: ContextVar[LegacySession | None] = ContextVar("legacy_session", default=None)
