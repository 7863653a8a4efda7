"""Keeps answers, and lists of which callers read one part at a time; equal calls at the same time share their work."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from dyber_kit.answer_models import to_keep
from dyber_kit.calling.cursors import encode_cursor, fit_items
from dyber_kit.reading.lists import Entry, Kept, PagedList, Part, Shown, SiteList, positions
from dyber_kit.upstream.cache import Cache
from dyber_kit.upstream.sharing import SharedWork

logger = logging.getLogger("dyber.reading")

Model = TypeVar("Model", bound=BaseModel)

#: Characters of an answer besides its longest list, unless a service says otherwise.
FRAME_CHARS = 1500


class Memory:
    """Keeps what was read of a platform.

    What accounts see differs, so keys name the account. Texts in what is kept are `Notice`s, as the next caller may
    have another language.

    Args:
        cache: Where it is kept.
        prefix: Part of all keys, such as how users are named.
        longest_seconds: Longest time for which something is kept.
        max_answer_chars: Longest answer, in characters of JSON; lists are shortened to it.
        frame_chars: Characters of an answer besides its longest list.
    """

    def __init__(
        self,
        cache: Cache,
        prefix: str,
        longest_seconds: float,
        max_answer_chars: int,
        frame_chars: int = FRAME_CHARS,
    ) -> None:
        #: Longest list of an answer, in characters of JSON.
        self.max_list_chars = max_answer_chars - frame_chars
        self._cache = cache
        self._prefix = prefix
        self._longest_seconds = longest_seconds
        self._sharing = SharedWork()

    async def answer(
        self,
        model: type[Model],
        key: str,
        seconds: float,
        load: Callable[[], Awaitable[Model]],
        keep: Callable[[Model], bool] = lambda _: True,
    ) -> Model:
        """Return what `kept` returns; when it was there before, its field `source` is `cache`."""
        value, was_kept = await self.kept(model, key, seconds, load, keep)
        return value.model_copy(update={"source": "cache"}) if was_kept else value

    async def kept(
        self,
        model: type[Model],
        key: str,
        seconds: float,
        load: Callable[[], Awaitable[Model]],
        keep: Callable[[Model], bool] = lambda _: True,
    ) -> tuple[Model, bool]:
        """Return the value under `key`, else what `load` returns, and whether it was there before.

        Args:
            model: The type of the value.
            key: Names the value among those of its type.
            seconds: How long it is kept.
            load: Reads the value.
            keep: Whether a value that was read is kept.
        """
        name = f"{self._prefix}:{model.__name__}:{key}"
        if (value := await self._read(model, name)) is not None:
            return value, True

        async def load_and_keep() -> Model:
            loaded = await load()
            if keep(loaded):
                await self._keep(name, loaded, seconds)
            return loaded

        return await self._sharing.run(name, load_and_keep), False

    async def part(
        self, wanted: SiteList[Kept, Entry], cursor: str, limit: int, shown: Callable[[Entry], Shown]
    ) -> Part[Kept, Entry, Shown]:
        """Return up to `limit` entries of a list from `cursor` on, as many as fit into an answer.

        Args:
            wanted: The list.
            cursor: The `next_cursor` of the part before, or "".
            limit: Most entries of this part.
            shown: Returns an entry as the answer shows it.

        Raises:
            ServiceError: INVALID_ARGUMENT for a cursor of another list; or what `load` raises.
        """
        kind = f"{self._prefix}:{wanted.key}"
        start = positions(kind, cursor).get("start", 0)
        start = start if start < wanted.most else 0
        target = min(start + limit, wanted.most)
        listing, source = await self.listing(wanted, start, target)
        entries: list[Entry] = listing.items[start:target]
        items = fit_items([shown(entry) for entry in entries], self.max_list_chars)
        end = start + len(items)
        complete = listing.complete and end >= len(listing.items)
        more = bool(items) and end < wanted.most and not complete
        next_cursor = encode_cursor(kind, {"start": end}) if more else None
        return Part(items, entries[: len(items)], complete, next_cursor, source, listing)

    async def listing(self, wanted: SiteList[Kept, Entry], start: int, target: int) -> tuple[Kept, str]:
        """Return a list that has the entries from `start` to before `target` if the platform loads them, and its source.

        The platform may have put its list into another order in the meantime. Entries that were read before keep their
        places, and new ones follow them, so that parts neither repeat nor skip entries.
        """
        name = f"{self._prefix}:{wanted.key}"
        if wanted.keep_parts:
            name += f":{start}"
        known = await self._read(wanted.model, name)
        if known is not None and known.covers(start, target):
            return known, "cache"

        async def load_and_keep() -> Kept:
            loaded = await wanted.load(start, target)
            seconds = wanted.seconds
            # Another part may have been read while this one waited for its turn.
            if (earlier := await self._read(wanted.model, name)) is not None:
                loaded = _joined(earlier, loaded, wanted.identity)
                seconds -= _age(earlier.fetched_at)
            if wanted.keep(loaded):
                await self._keep(name, loaded, seconds)
            return loaded

        return await self._sharing.run(f"{name}:{start}:{target}", load_and_keep), wanted.source

    async def page_part(
        self, wanted: PagedList[Kept, Entry], cursor: str, limit: int, shown: Callable[[Entry], Shown]
    ) -> Part[Kept, Entry, Shown]:
        """Return up to `limit` entries from `cursor` on of a list in pages; arguments and errors are those of `part`.

        A part never reaches over the end of a page of the platform, so that each call reads one page at most.
        """
        kind = f"{self._prefix}:{wanted.key}"
        position = positions(kind, cursor)
        page, start = position.get("page", 1), position.get("start", 0)
        page = page if 1 <= page <= wanted.most_pages else 1
        listing, was_kept = await self.kept(
            wanted.model, f"{wanted.key}:{page}", wanted.seconds, lambda: wanted.load(page)
        )
        entries: list[Entry] = listing.items[start : start + limit]
        items = fit_items([shown(entry) for entry in entries], self.max_list_chars)
        end = start + len(items)
        in_page = end < len(listing.items)
        complete = not listing.items or (not in_page and listing.complete)
        following = {"page": page, "start": end} if in_page else {"page": page + 1, "start": 0}
        return Part(
            items,
            entries[: len(items)],
            complete,
            None if complete else encode_cursor(kind, following),
            "cache" if was_kept else wanted.source,
            listing,
        )

    async def _read(self, model: type[Model], name: str) -> Model | None:
        value = await self._cache.get(name)
        try:
            return None if value is None else model.model_validate(value)
        except ValidationError:
            # The value is that of another release, whose model was different.
            logger.warning("cached value does not fit", extra={"model": model.__name__})
            return None

    async def _keep(self, name: str, value: BaseModel, seconds: float) -> None:
        await self._cache.set(name, to_keep(value), min(seconds, self._longest_seconds))


def _joined(earlier: Kept, later: Kept, identity: Callable[[Entry], object]) -> Kept:
    """Return the later list with the entries of the earlier one first, and then those that are not among them."""
    known = {identity(entry) for entry in earlier.items}
    new = [entry for entry in later.items if identity(entry) not in known]
    return later.model_copy(update={"items": [*earlier.items, *new], "fetched_at": earlier.fetched_at})


def _age(fetched_at: str) -> float:
    """Return how many seconds ago a list was read."""
    return (datetime.now(UTC) - datetime.fromisoformat(fetched_at)).total_seconds()
