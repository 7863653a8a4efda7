"""Counts wrong passwords per address, and locks an address for a time that doubles up to five minutes."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

#: Wrong passwords before an address is locked.
MOST = 5
_FIRST_SECONDS = 60.0
#: Behind a proxy all callers have its address, so nobody must be able to lock it for long.
_LONGEST_SECONDS = 300.0
#: Seconds after which an address's wrong passwords are forgotten.
_FORGOTTEN_SECONDS = 86_400.0
_MOST_ADDRESSES = 10_000


@dataclass
class _Address:
    wrong: int = 0
    locks: int = 0
    locked_until: float = 0.0
    last: float = 0.0


class Tries:
    """Knows how many tries each address has left; of very many addresses the oldest are forgotten."""

    def __init__(self) -> None:
        self._addresses: OrderedDict[str, _Address] = OrderedDict()

    def locked_seconds(self, address: str, now: float) -> float:
        """Return for how many seconds the address may not try; 0 when it may."""
        known = self._addresses.get(address)
        return max(0.0, known.locked_until - now) if known else 0.0

    def note_wrong(self, address: str, now: float) -> int:
        """Count a wrong password and return how many tries are left before a lock; 0 when it locked the address."""
        known = self._addresses.pop(address, None)
        if known is None or now - known.last > _FORGOTTEN_SECONDS:
            known = _Address()
        self._addresses[address] = known
        while len(self._addresses) > _MOST_ADDRESSES:
            self._addresses.popitem(last=False)
        known.last = now
        known.wrong += 1
        if known.wrong < MOST:
            return MOST - known.wrong
        known.wrong = 0
        known.locked_until = now + min(_LONGEST_SECONDS, _FIRST_SECONDS * 2**known.locks)
        known.locks += 1
        return 0

    def note_right(self, address: str) -> None:
        """Forget the wrong passwords of an address that signed in."""
        self._addresses.pop(address, None)
