"""Reads lists that a platform has in pages, each of which tells where the next one is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from dyber_kit.calling.cursors import decode_cursor, encode_cursor, fit_items

#: Where a page is, as a small JSON object; {} is the first page.
Position = dict[str, Any]
Entry = TypeVar("Entry")
Shown = TypeVar("Shown")
#: Most pages that one call reads.
MOST_PAGES = 3


@dataclass(frozen=True)
class SitePage(Generic[Entry]):
    """Holds the entries of a page of a platform; `next` is where the next page is, or None after the last."""

    items: list[Entry]
    next: Position | None


@dataclass(frozen=True)
class PagesPart(Generic[Shown]):
    """Holds the part of a list that goes into an answer; `complete` says that the platform has nothing after it."""

    items: list[Shown]
    complete: bool
    next_cursor: str | None


@dataclass(frozen=True)
class Start:
    """Says where a part begins: at a position, after the first `skip` entries of the page there."""

    position: Position
    skip: int


def start_of(kind: str, cursor: str) -> Start:
    """Return where a cursor continues a list. Raises ServiceError (INVALID_ARGUMENT) for the cursor of another list."""
    if not cursor:
        return Start({}, 0)
    read = decode_cursor(kind, cursor)
    position, skip = read.get("position"), read.get("skip")
    return Start(position if isinstance(position, dict) else {}, skip if isinstance(skip, int) and skip > 0 else 0)


async def read_part(
    kind: str,
    start: Start,
    limit: int,
    max_chars: int,
    load: Callable[[Position], Awaitable[SitePage[Entry]]],
    shown: Callable[[Entry], Shown],
    identity: Callable[[Entry], str],
) -> PagesPart[Shown]:
    """Return up to `limit` entries of a list, each once, from a few pages of the platform.

    Args:
        kind: Names the list; its cursors are valid for this list only.
        start: Where to begin.
        limit: Most entries.
        max_chars: Most characters of JSON.
        load: Reads the page at a position.
        shown: Returns an entry as the answer shows it.
        identity: Returns what an entry has in common with its repetitions; lists move while they are read.
    """
    entries: list[Entry] = []
    # Where each entry is, so that the list can go on behind any of them.
    places: list[Start] = []
    seen: set[str] = set()
    following: Position | None = start.position
    skip = start.skip
    for _ in range(MOST_PAGES):
        if following is None or len(entries) >= limit:
            break
        position = following
        page = await load(position)
        for index, entry in enumerate(page.items[skip:], start=skip):
            if identity(entry) not in seen:
                seen.add(identity(entry))
                entries.append(entry)
                places.append(Start(position, index))
        skip, following = 0, page.next
    items = fit_items([shown(entry) for entry in entries[:limit]], max_chars)
    if len(items) < len(entries):
        after: Start | None = places[len(items)]
    else:
        after = Start(following, 0) if following is not None else None
    cursor = encode_cursor(kind, {"position": after.position, "skip": after.skip}) if after else None
    return PagesPart(items, after is None, cursor)
