"""Keeps the tokens of notes and users, which agents often leave out."""

from __future__ import annotations

from collections.abc import Mapping

from dyber_kit.upstream.cache import Cache

from xiaohongshu_server.model.references import NoteReference, UserReference

# Tokens stay valid for a long time.
_SECONDS = 86_400.0


class Tokens:
    """Keeps the token last seen of each note and user.

    Args:
        cache: Where they are kept.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def token(self, reference: NoteReference | UserReference) -> str | None:
        """Return the token of a reference; without one, the token last seen of its note or user."""
        if reference.token:
            return reference.token
        kept = await self._cache.get(f"token:{_identifier(reference)}")
        return kept if isinstance(kept, str) else None

    async def remember(self, tokens: Mapping[str, str]) -> None:
        """Keep the tokens of notes and users by id."""
        for name, token in tokens.items():
            await self._cache.set(f"token:{name}", token, _SECONDS)


def _identifier(reference: NoteReference | UserReference) -> str:
    return reference.note_id if isinstance(reference, NoteReference) else reference.user_id
