"""Keeps what was read: answers, the tokens of notes and users, and lists of which callers read one part at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from dyber_kit.calling.cursors import decode_cursor, encode_cursor, fit_items
from dyber_kit.language import language
from dyber_kit.upstream.cache import Cache
from dyber_kit.upstream.sharing import SharedWork
from pydantic import BaseModel

from xiaohongshu_server.model.answers import Source
from xiaohongshu_server.model.references import NoteReference, UserReference

# Tokens stay valid for a long time, and agents often leave them out.
_TOKEN_SECONDS = 86_400.0

Model = TypeVar("Model", bound=BaseModel)
Entry = TypeVar("Entry", bound=BaseModel)


class Listing(BaseModel, Generic[Entry]):
    """Holds the start of a list of the site; `complete` is true when the site has no more, `total` its own number."""

    items: list[Entry]
    complete: bool
    fetched_at: str
    total: int | None = None


@dataclass(frozen=True)
class Part(Generic[Entry]):
    """Holds the part of a list that a caller asked for.

    Attributes:
        items: The entries of the part, as the answer shows them.
        entries: The same entries, with all their fields.
        complete: Whether the site has no entries after these.
        next_cursor: Where the next part starts; None after the last.
        source: Whether the site was read for this part.
        listing: The list as far as it was read.
    """

    items: list[Entry]
    entries: list[Entry]
    complete: bool
    next_cursor: str | None
    source: Source
    listing: Listing[Entry]


class Memory:
    """Caches answers and tokens; concurrent equal calls share their work.

    Args:
        cache: Where they are kept.
        prefix: Part of all keys of answers.
        longest_seconds: Longest time for which an answer is kept.
        max_list_chars: Longest list of an answer, in characters of JSON.
    """

    def __init__(self, cache: Cache, prefix: str, longest_seconds: float, max_list_chars: int) -> None:
        self._cache = cache
        self._prefix = prefix
        self._longest_seconds = longest_seconds
        self._max_list_chars = max_list_chars
        self._sharing = SharedWork()

    async def answer(
        self,
        model: type[Model],
        key: str,
        seconds: float,
        load: Callable[[], Awaitable[Model]],
        keep: Callable[[Model], bool] = lambda _: True,
    ) -> Model:
        """Return the answer kept under `key`, else the result of `load`, which is kept for `seconds`."""
        key = f"{self._prefix}:{key}"
        kept = await self._cache.get(key)
        if kept is not None:
            return model.model_validate(kept | {"source": "cache"})

        async def load_and_keep() -> Model:
            loaded = await load()
            if keep(loaded):
                await self._cache.set(key, loaded, min(seconds, self._longest_seconds))
            return loaded

        # An answer that is not kept can have warnings, which are in the language of the caller.
        return await self._sharing.run(f"{language()}:{key}", load_and_keep)

    async def part(
        self,
        model: type[Listing[Entry]],
        key: str,
        cursor: str,
        limit: int,
        most: int,
        seconds: float,
        load: Callable[[int, int], Awaitable[Listing[Entry]]],
        shown: Callable[[Entry], Entry],
        *,
        keep_parts: bool = False,
    ) -> Part[Entry]:
        """Return up to `limit` entries of a list from `cursor` on.

        Args:
            model: The type of the list.
            key: Names the list; a cursor is valid for this list only.
            cursor: The `next_cursor` of the part before, or "".
            limit: Most entries of this part.
            most: Most entries of the list, of all parts together.
            seconds: How long the list is kept.
            load: Reads the list from the site; gets the position of the first entry of the part, and how many entries
                to read from the start of the list.
            shown: Returns an entry as the answer shows it.
            keep_parts: Whether each part is kept by itself, because `load` reads its entries in more detail than those
                before it.
        """
        key = f"{self._prefix}:{key}"
        position = decode_cursor(key, cursor).get("start") if cursor else 0
        start = position if isinstance(position, int) and 0 <= position < most else 0
        target = min(start + limit, most)
        source: Source = "cache"
        kept_as = f"{key}:{start}" if keep_parts else key
        kept = await self._cache.get(kept_as)
        listing = model.model_validate(kept) if kept else None
        if listing is None or (len(listing.items) < target and not listing.complete):

            async def load_and_keep() -> Listing[Entry]:
                loaded = await load(start, target)
                await self._cache.set(kept_as, loaded, min(seconds, self._longest_seconds))
                return loaded

            listing = await self._sharing.run(f"{kept_as}:{target}", load_and_keep)
            source = "browser"
        items = fit_items([shown(entry) for entry in listing.items[start:target]], self._max_list_chars)
        end = start + len(items)
        complete = listing.complete and end >= len(listing.items)
        more = bool(items) and end < most and not complete
        next_cursor = encode_cursor(key, {"start": end}) if more else None
        return Part(items, listing.items[start:end], complete, next_cursor, source, listing)

    async def token(self, reference: NoteReference | UserReference) -> str | None:
        """Return the token of a reference; without one, the token last seen of its note or user."""
        if reference.token:
            return reference.token
        kept = await self._cache.get(f"token:{identifier(reference)}")
        return kept if isinstance(kept, str) else None

    async def remember(self, tokens: Mapping[str, str]) -> None:
        """Keep the tokens of notes and users by id."""
        for name, token in tokens.items():
            await self._cache.set(f"token:{name}", token, _TOKEN_SECONDS)

    async def kept_text(self, key: str) -> str | None:
        """Return a text kept with `keep_text`, or None."""
        kept: Any = await self._cache.get(f"{self._prefix}:{key}")
        return kept if isinstance(kept, str) else None

    async def keep_text(self, key: str, value: str, seconds: float) -> None:
        """Keep a short text for `seconds`."""
        await self._cache.set(f"{self._prefix}:{key}", value, min(seconds, self._longest_seconds))


def identifier(reference: NoteReference | UserReference) -> str:
    """Return the id of the note or user."""
    return reference.note_id if isinstance(reference, NoteReference) else reference.user_id
