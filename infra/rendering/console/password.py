"""Makes the hash of the console's password."""

from __future__ import annotations

from argon2 import Type
from argon2.low_level import hash_secret

#: Two passes over 19 MiB, as the console's memory is small (console/dyber_console/identity/passwords.py).
_PASSES, _MEMORY_KIB, _LANES, _HASH_BYTES = 2, 19_456, 1, 32


def password_hash(password: str, salt_hex: str) -> str:
    """Return the argon2id hash of a password, the same each time for the same salt (bytes as hex digits)."""
    encoded: bytes = hash_secret(
        password.encode(),
        bytes.fromhex(salt_hex),
        time_cost=_PASSES,
        memory_cost=_MEMORY_KIB,
        parallelism=_LANES,
        hash_len=_HASH_BYTES,
        type=Type.ID,
    )
    return encoded.decode("ascii")
