"""Checks the administrator's password against its argon2id hash."""

from __future__ import annotations

import asyncio
import hashlib

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

#: Parameters of new hashes: 19 MiB and two passes, so that a check fits into the console's memory.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_LONGEST_PASSWORD = 256


def hash_password(password: str) -> str:
    """Return the hash that the console's settings take."""
    return _HASHER.hash(password)


class Password:
    """Holds the hash of the password; checks run on a thread, never two at a time.

    Args:
        password_hash: An argon2id hash. Raises ValueError when it is another text.
    """

    def __init__(self, password_hash: str) -> None:
        if not password_hash.startswith("$argon2id$"):
            raise ValueError("the password's hash is no argon2id hash; make it with ./deploy.sh console password")
        self._hash = password_hash
        self._turn = asyncio.Lock()
        #: Names this password in sessions, so that a new password ends them all.
        self.mark = hashlib.sha256(password_hash.encode()).hexdigest()[:16]

    async def is_right(self, password: str) -> bool:
        """Return whether this is the password."""
        if len(password) > _LONGEST_PASSWORD:
            return False
        async with self._turn:
            return await asyncio.to_thread(self._matches, password)

    def _matches(self, password: str) -> bool:
        try:
            return _HASHER.verify(self._hash, password)
        except (VerificationError, InvalidHashError):
            return False
