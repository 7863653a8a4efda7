"""Keeps the sessions of signed-in browsers; the store has only hashes of their cookies."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from dyber_console.records.store import Store

#: Name of the cookie; its prefix makes browsers refuse it over plain HTTP, from other hosts and for other paths.
COOKIE = "__Host-dyber-console"
IDLE_SECONDS = 12 * 3600
KEPT_SECONDS = 30 * 86_400
_SEEN_SECONDS = 60


@dataclass(frozen=True)
class Session:
    """Holds a session: the token that its forms carry, and whether it lasts 30 days."""

    id_hash: str
    csrf: str
    keep: bool


class Sessions:
    """Starts, finds and ends sessions.

    Args:
        password_mark: Names the current password; sessions of another password do not count.
    """

    def __init__(self, store: Store, password_mark: str) -> None:
        self._store = store
        self._mark = password_mark
        with store.db:
            store.db.execute("DELETE FROM sessions WHERE password_mark <> ?", (password_mark,))

    def start(self, keep: bool, now: float) -> str:
        """Start a session and return the value of its cookie."""
        value = secrets.token_urlsafe(32)
        with self._store.db:
            self._store.db.execute(
                "INSERT INTO sessions VALUES (?,?,?,?,?,?)",
                (_hash(value), secrets.token_urlsafe(32), now, now, keep, self._mark),
            )
            self._store.db.execute(
                "DELETE FROM sessions WHERE seen < ? AND (keep = 0 OR created < ?)",
                (now - IDLE_SECONDS, now - KEPT_SECONDS),
            )
        return value

    def find(self, value: str | None, now: float) -> Session | None:
        """Return the session of a cookie's value, or None when there is none or it has ended."""
        if not value:
            return None
        row = self._store.db.execute("SELECT * FROM sessions WHERE id_hash = ?", (_hash(value),)).fetchone()
        if row is None or row["password_mark"] != self._mark:
            return None
        lasts = row["created"] + KEPT_SECONDS if row["keep"] else row["seen"] + IDLE_SECONDS
        if now >= lasts:
            return None
        if now - row["seen"] > _SEEN_SECONDS:
            with self._store.db:
                self._store.db.execute("UPDATE sessions SET seen = ? WHERE id_hash = ?", (now, row["id_hash"]))
        return Session(row["id_hash"], row["csrf"], bool(row["keep"]))

    def end(self, session: Session) -> None:
        """End a session."""
        with self._store.db:
            self._store.db.execute("DELETE FROM sessions WHERE id_hash = ?", (session.id_hash,))


def _hash(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
