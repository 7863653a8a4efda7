"""Describes lists of a platform, and the parts of them that callers get."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from dyber_kit.answer_models import Notice
from dyber_kit.calling.cursors import decode_cursor

Entry = TypeVar("Entry")
Shown = TypeVar("Shown")


class Listing(BaseModel, Generic[Entry]):
    """Holds the start of a list of a platform, or a page of it, as it is kept.

    Attributes:
        items: The entries.
        complete: Whether the platform has no entries after these.
        fetched_at: When the first of them was read.
        total: The platform's own number of entries.
        warnings: What the reader of the list should know.
    """

    items: list[Entry]
    complete: bool
    fetched_at: str
    total: int | None = None
    warnings: list[Notice] = []

    def covers(self, start: int, end: int) -> bool:
        """Return whether the list has the entries from `start` to before `end`, or all that the platform has."""
        return self.complete or len(self.items) >= end


Kept = TypeVar("Kept", bound=Listing[Any])


@dataclass(frozen=True)
class SiteList(Generic[Kept, Entry]):
    """Describes a list that a platform loads from its start, further and further.

    Attributes:
        model: How it is kept.
        key: Names the list, with the account that sees it; its cursors are valid for this list only.
        most: Most entries of all parts together.
        seconds: How long it is kept.
        load: Reads it; gets the position of the first entry that is wanted, and how many to read from the start.
        identity: Returns by what an entry is recognised when it is read again.
        source: Where `load` reads.
        keep: Whether a list that was read is kept.
        keep_parts: Whether each part is kept by itself, because `load` reads its entries in more detail than others.
    """

    model: type[Kept]
    key: str
    most: int
    seconds: float
    load: Callable[[int, int], Awaitable[Kept]]
    identity: Callable[[Entry], object]
    source: str = "browser"
    keep: Callable[[Kept], bool] = lambda _: True
    keep_parts: bool = False


@dataclass(frozen=True)
class PagedList(Generic[Kept, Entry]):
    """Describes a list that a platform has in numbered pages.

    Attributes:
        model: How a page is kept.
        key: Names the list, with the account that sees it; its cursors are valid for this list only.
        seconds: How long a page is kept.
        load: Reads the page with a number; the first is 1.
        source: Where `load` reads.
        most_pages: Most pages of the list.
    """

    model: type[Kept]
    key: str
    seconds: float
    load: Callable[[int], Awaitable[Kept]]
    source: str = "browser"
    most_pages: int = 1000


@dataclass(frozen=True)
class Part(Generic[Kept, Entry, Shown]):
    """Holds the part of a list that a caller gets.

    Attributes:
        items: The entries of the part, as the answer shows them.
        entries: The same entries with all their fields.
        complete: Whether the platform has no entries after these.
        next_cursor: Where the next part starts; None after the last.
        source: Where the part was read; `cache` when it was kept.
        listing: The list as far as it was read.
    """

    items: list[Shown]
    entries: list[Entry]
    complete: bool
    next_cursor: str | None
    source: str
    listing: Kept

    @property
    def fields(self) -> dict[str, Any]:
        """Return what answers with a list have in common: `items`, `count`, `complete`, `next_cursor` and so on."""
        return {
            "items": self.items,
            "count": len(self.items),
            "complete": self.complete,
            "next_cursor": self.next_cursor,
            "source": self.source,
            "fetched_at": self.listing.fetched_at,
        }

    @property
    def is_missing(self) -> bool:
        """Return whether the platform loaded nothing here, although it did not say that there is no more."""
        return not self.items and not self.complete


def positions(kind: str, cursor: str) -> dict[str, int]:
    """Return the numbers of a cursor, which are not negative; {} for "".

    Raises:
        ServiceError: INVALID_ARGUMENT for a cursor of another list.
    """
    if not cursor:
        return {}
    return {
        name: value
        for name, value in decode_cursor(kind, cursor).items()
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0
    }
