"""Keeps what was read, and returns lists part by part."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from dyber_kit.calling.cursors import decode_cursor, encode_cursor, fit_items
from dyber_kit.upstream.cache import Cache
from dyber_kit.upstream.sharing import SharedWork
from pydantic import BaseModel

from bilibili_server.model.answers import Source

Model = TypeVar("Model", bound=BaseModel)
Entry = TypeVar("Entry", bound=BaseModel)

#: Most pages of a list of the site.
_MOST_PAGES = 1000


class Listing(BaseModel, Generic[Entry]):
    """Holds the start of a list of the site, or a page of it; `complete` is true when the site has no more."""

    items: list[Entry]
    complete: bool
    fetched_at: str
    total: int | None = None


@dataclass(frozen=True)
class Part(Generic[Entry]):
    """Holds the part of a list that a caller asked for.

    Attributes:
        items: The entries of the part, as the answer shows them.
        complete: Whether the site has no entries after these.
        next_cursor: Where the next part starts; None after the last.
        source: Whether the site was read for this part.
        listing: What was read of the list.
    """

    items: list[Entry]
    complete: bool
    next_cursor: str | None
    source: Source
    listing: Listing[Entry]


class Memory:
    """Caches what was read; concurrent equal calls share their work.

    Args:
        cache: Where it is kept.
        prefix: Part of all keys.
        longest_seconds: Longest time for which something is kept.
        max_list_chars: Longest list of an answer, in characters of JSON.
    """

    def __init__(self, cache: Cache, prefix: str, longest_seconds: float, max_list_chars: int) -> None:
        self._cache = cache
        self._prefix = prefix
        self._longest_seconds = longest_seconds
        self._max_list_chars = max_list_chars
        self._sharing = SharedWork()

    async def kept(
        self,
        model: type[Model],
        key: str,
        seconds: float,
        load: Callable[[], Awaitable[Model]],
        keep: Callable[[Model], bool] = lambda _: True,
    ) -> tuple[Model, bool]:
        """Return the value under `key`, else what `load` returns, and whether it was there before."""
        key = f"{self._prefix}:{key}"
        value = await self._cache.get(key)
        if value is not None:
            return model.model_validate(value), True

        async def load_and_keep() -> Model:
            loaded = await load()
            if keep(loaded):
                await self._cache.set(key, loaded, min(seconds, self._longest_seconds))
            return loaded

        return await self._sharing.run(key, load_and_keep), False

    async def part(
        self,
        model: type[Listing[Entry]],
        key: str,
        cursor: str,
        limit: int,
        most: int,
        seconds: float,
        load: Callable[[int], Awaitable[Listing[Entry]]],
        shown: Callable[[Entry], Entry],
        identity: Callable[[Entry], str | None],
        source: Source = "browser",
    ) -> Part[Entry]:
        """Return up to `limit` entries from `cursor` on of a list that the site loads from its start.

        The site may have put its list into another order in the meantime. Entries that were read before keep their
        places, and new ones follow them, so that the parts neither repeat nor skip entries.

        Args:
            model: The type of the list.
            key: Names the list; a cursor is valid for this list only.
            cursor: The `next_cursor` of the part before, or "".
            limit: Most entries of this part.
            most: Most entries of the list, of all parts together.
            seconds: How long the list is kept.
            load: Reads so many entries from the start of the list.
            shown: Returns an entry as the answer shows it.
            identity: Returns the id of an entry.
            source: Where `load` reads.
        """
        start = _position(self._kind(key), cursor).get("start", 0)
        start = start if 0 <= start < most else 0
        target = min(start + limit, most)
        listing = await self._listing(model, key)
        if listing is None or (len(listing.items) < target and not listing.complete):

            async def load_and_keep() -> Listing[Entry]:
                loaded = await load(target)
                # Another part may have been read while this one waited for its turn.
                if earlier := await self._listing(model, key):
                    loaded = loaded.model_copy(update={"items": _joined(earlier.items, loaded.items, identity)})
                await self._cache.set(f"{self._prefix}:{key}", loaded, min(seconds, self._longest_seconds))
                return loaded

            listing = await self._sharing.run(f"{self._prefix}:{key}:{target}", load_and_keep)
        else:
            source = "cache"
        items = fit_items([shown(entry) for entry in listing.items[start:target]], self._max_list_chars)
        end = start + len(items)
        complete = listing.complete and end >= len(listing.items)
        more = bool(items) and end < most and not complete
        next_cursor = encode_cursor(self._kind(key), {"start": end}) if more else None
        return Part(items, complete, next_cursor, source, listing)

    async def page_part(
        self,
        model: type[Listing[Entry]],
        key: str,
        cursor: str,
        limit: int,
        seconds: float,
        load: Callable[[int], Awaitable[Listing[Entry]]],
        shown: Callable[[Entry], Entry],
    ) -> Part[Entry]:
        """Return up to `limit` entries from `cursor` on of a list that the site has in numbered pages.

        A part never reaches over the end of a page of the site, so that each call opens one page at most. The other
        arguments are those of `part`; `load` reads the page with a number.
        """
        position = _position(self._kind(key), cursor)
        page, start = position.get("page", 1), position.get("start", 0)
        page = page if 1 <= page <= _MOST_PAGES else 1
        listing, was_kept = await self.kept(model, f"{key}:{page}", seconds, lambda: load(page))
        items = fit_items([shown(entry) for entry in listing.items[start : start + limit]], self._max_list_chars)
        end = start + len(items)
        in_page = end < len(listing.items)
        following = {"page": page, "start": end} if in_page else {"page": page + 1, "start": 0}
        complete = not in_page and listing.complete
        more = not complete and bool(listing.items)
        return Part(
            items,
            complete or not listing.items,
            encode_cursor(self._kind(key), following) if more else None,
            "cache" if was_kept else "browser",
            listing,
        )

    async def _listing(self, model: type[Listing[Entry]], key: str) -> Listing[Entry] | None:
        value = await self._cache.get(f"{self._prefix}:{key}")
        return model.model_validate(value) if value else None

    def _kind(self, key: str) -> str:
        return f"{self._prefix}:{key}"


def _joined(earlier: list[Entry], later: list[Entry], identity: Callable[[Entry], str | None]) -> list[Entry]:
    """Return the earlier entries, then those of the later ones that are not among them."""
    known = {identity(entry) for entry in earlier}
    return earlier + [entry for entry in later if identity(entry) not in known]


def _position(kind: str, cursor: str) -> dict[str, int]:
    """Return the numbers of a cursor; {} for "". Raises ServiceError (INVALID_ARGUMENT)."""
    if not cursor:
        return {}
    return {
        name: value
        for name, value in decode_cursor(kind, cursor).items()
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0
    }
