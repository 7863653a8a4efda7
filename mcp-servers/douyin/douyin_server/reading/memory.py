"""Keeps answers, and lists of which callers read one part at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.calling.cursors import decode_cursor, encode_cursor, fit_items
from dyber_kit.language import language
from dyber_kit.upstream.cache import Cache
from dyber_kit.upstream.sharing import SharedWork
from pydantic import BaseModel

from douyin_server.model.schema import Answer, Source
from douyin_server.texts import tr_lazy

Model = TypeVar("Model", bound=Answer)
Entry = TypeVar("Entry", bound=BaseModel)


class Listing(BaseModel, Generic[Entry]):
    """Holds the start of a list of the site; `complete` is true when the site has no more, `total` its own number."""

    items: list[Entry]
    complete: bool
    fetched_at: str
    total: int | None = None
    sent: dict[str, str] = {}
    warnings: list[str] = []


@dataclass(frozen=True)
class Part(Generic[Entry]):
    """Holds the part of a list that a caller asked for.

    Attributes:
        items: The entries of the part, as the answer shows them.
        entries: The same entries with all their fields.
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
    """Caches answers; concurrent equal calls share their work.

    Args:
        cache: Where they are kept.
        prefix: Part of all keys.
        longest_seconds: Longest time for which an answer is kept.
        max_list_chars: Longest list of an answer, in characters of JSON.
    """

    def __init__(self, cache: Cache, prefix: str, longest_seconds: float, max_list_chars: int) -> None:
        self._cache = cache
        self._prefix = prefix
        self._longest_seconds = longest_seconds
        self._max_list_chars = max_list_chars
        self._sharing = SharedWork()

    async def answer(self, model: type[Model], key: str, seconds: float, load: Callable[[], Awaitable[Model]]) -> Model:
        """Return the answer kept under `key`, else the result of `load`, which is kept unless it has warnings."""
        key = f"{self._prefix}:{key}"
        kept = await self._cache.get(key)
        if kept is not None:
            return model.model_validate(kept | {"source": "cache"})

        async def load_and_keep() -> Model:
            loaded = await load()
            if not loaded.warnings:
                await self._cache.set(key, loaded, min(seconds, self._longest_seconds))
            return loaded

        # Warnings are in the language of the caller.
        return await self._sharing.run(f"{key}:{language()}", load_and_keep)

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
        identity: Callable[[Entry], str],
    ) -> Part[Entry]:
        """Return up to `limit` entries of a list from `cursor` on.

        The site may list its entries in another order each time, so what is read goes after what is kept.

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
            identity: Returns by what an entry is recognised when it is read again.

        Raises:
            ServiceError: TIMEOUT when the site did not load the part, and did not say that there is no more.
        """
        key = f"{self._prefix}:{key}"
        position = decode_cursor(key, cursor).get("start") if cursor else 0
        start = position if isinstance(position, int) and 0 <= position < most else 0
        target = min(start + limit, most)
        source: Source = "cache"
        kept = await self._cache.get(key)
        listing = model.model_validate(kept) if kept else None
        if listing is None or (len(listing.items) < target and not listing.complete):

            async def load_and_keep() -> Listing[Entry]:
                loaded = await load(start, target)
                if listing is not None:
                    loaded = _merged(listing, loaded, identity)
                if len(loaded.items) <= start and not loaded.complete:
                    raise _not_loaded()
                if not loaded.warnings:
                    await self._cache.set(key, loaded, min(seconds, self._longest_seconds))
                return loaded

            whole = await self._sharing.run(f"{key}:{start}:{target}:{language()}", load_and_keep)
            source = "browser"
        else:
            whole = listing
        entries = whole.items[start:target]
        items = fit_items([shown(entry) for entry in entries], self._max_list_chars)
        end = start + len(items)
        complete = whole.complete and end >= len(whole.items)
        more = bool(items) and end < most and not complete
        next_cursor = encode_cursor(key, {"start": end}) if more else None
        return Part(items, entries[: len(items)], complete, next_cursor, source, whole)


def _merged(kept: Listing[Entry], loaded: Listing[Entry], identity: Callable[[Entry], str]) -> Listing[Entry]:
    """Return the kept entries with the loaded ones after them that are not among them."""
    known = {identity(entry) for entry in kept.items}
    new = [entry for entry in loaded.items if identity(entry) not in known]
    return loaded.model_copy(update={"items": [*kept.items, *new], "fetched_at": kept.fetched_at})


def _not_loaded() -> ServiceError:
    return ServiceError(
        ErrorCode.TIMEOUT,
        tr_lazy("This part of the list was not loaded"),
        tr_lazy("Try again later; if it stays like this, log in first"),
    )
