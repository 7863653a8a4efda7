"""Remembers which requests a child has not answered yet, and who waits for the answers."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from mcp.types import CONNECTION_CLOSED, ErrorData, JSONRPCMessage, JSONRPCNotification, JSONRPCRequest

#: The result of a request, or its error.
Outcome = dict[str, Any] | ErrorData

# The SDK's dispatcher counts its requests from 1, and some servers keep ids in 32 bits.
_FIRST_ID = 2**30
_LAST_ID = 2**31 - 1
_MOST_DIGITS = len(str(_LAST_ID))


class Asked:
    """Remembers the requests to a child: those of the SDK's dispatcher, and those whose callers wait here."""

    def __init__(self) -> None:
        self.is_closed = False
        self._waiting: set[int | str] = set()
        self._waiters: dict[int, asyncio.Future[Outcome]] = {}
        self._given_up: deque[Any] = deque(maxlen=1000)
        self._next_id = _FIRST_ID

    def sent(self, message: JSONRPCMessage) -> None:
        """Note a message of the dispatcher to the child."""
        if isinstance(message, JSONRPCRequest):
            self._waiting.add(message.id)
        elif isinstance(message, JSONRPCNotification) and message.method == "notifications/cancelled":
            request_id = (message.params or {}).get("requestId")
            if request_id in self._waiting:
                self._waiting.discard(request_id)
                self._given_up.append(request_id)

    def expect(self) -> tuple[int, asyncio.Future[Outcome]]:
        """Return the id for a request whose caller waits here, and the future of its outcome."""
        request_id = self._next_id
        self._next_id = _FIRST_ID if request_id == _LAST_ID else request_id + 1
        waiter = self._waiters[request_id] = asyncio.get_running_loop().create_future()
        self._waiting.add(request_id)
        return request_id, waiter

    def settle(self, request_id: int | str, outcome: Outcome) -> bool:
        """Give the outcome of a request to the caller that waits here; return whether any does."""
        request_id = _as_sent(request_id)
        waiter = self._waiters.pop(request_id, None) if isinstance(request_id, int) else None
        if waiter is None:
            return False
        self._waiting.discard(request_id)
        if not waiter.done():
            waiter.set_result(outcome)
        return True

    def give_up(self, request_id: int) -> None:
        """Note that the caller of a request does not wait any longer."""
        if self._waiters.pop(request_id, None) is not None:
            self._waiting.discard(request_id)
            self._given_up.append(request_id)

    def close(self) -> None:
        """Tell all callers that wait here that the connection has ended."""
        self.is_closed = True
        for request_id in list(self._waiters):
            self.settle(request_id, ErrorData(code=CONNECTION_CLOSED, message="Connection closed"))

    def answered(self, request_id: int | str | None) -> bool:
        """Note an answer for the dispatcher; return whether it belongs to a request, of now or given up."""
        if request_id is None:
            return False
        request_id = _as_sent(request_id)
        if request_id in self._waiting:
            self._waiting.discard(request_id)
            return True
        return request_id in self._given_up

    def only(self) -> int | str | None:
        """Return the id of the only request that is not answered; None when there are more, or none."""
        return next(iter(self._waiting)) if len(self._waiting) == 1 else None


def _as_sent(request_id: int | str) -> int | str:
    """Return the id as it was sent: some children turn the number into a text."""
    if isinstance(request_id, str) and len(request_id) <= _MOST_DIGITS and request_id.isdecimal():
        return int(request_id)
    return request_id
