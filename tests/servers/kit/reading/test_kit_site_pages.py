"""Tests of lists whose pages tell where the next one is."""

from __future__ import annotations

import pytest
from dyber_kit import ErrorCode, ServiceError
from dyber_kit.reading.site_pages import MOST_PAGES, PagesPart, Position, SitePage, read_part, start_of


class Site:
    """Is a platform whose pages are at the positions {}, {"at": 1}, {"at": 2} and so on."""

    def __init__(self, *pages: str) -> None:
        self.pages = pages
        self.reads: list[int] = []

    async def load(self, position: Position) -> SitePage[str]:
        place = int(position.get("at", 0))
        self.reads.append(place)
        return SitePage(list(self.pages[place]), {"at": place + 1} if place + 1 < len(self.pages) else None)

    async def part(self, cursor: str, limit: int, max_chars: int = 10_000) -> PagesPart[str]:
        start = start_of("list", cursor)
        return await read_part("list", start, limit, max_chars, self.load, str.upper, str)


async def test_a_list_goes_on_within_a_page_and_on_the_next_one():
    site, cursor, parts = Site("abc", "de"), "", []
    while cursor is not None:
        part = await site.part(cursor, 2)
        parts.append(("".join(part.items), part.complete))
        cursor = part.next_cursor
    assert parts == [("AB", False), ("CD", False), ("E", True)]
    assert site.reads == [0, 0, 1, 1]


async def test_an_entry_that_moved_to_the_next_page_is_in_a_part_once():
    assert (await Site("abc", "cd").part("", 9)).items == ["A", "B", "C", "D"]


async def test_one_call_reads_a_few_pages_at_most():
    site = Site(*"abcdefgh")
    part = await site.part("", 9)
    assert (len(site.reads), part.items, part.complete) == (MOST_PAGES, ["A", "B", "C"], False)
    assert (await site.part(part.next_cursor, 1)).items == ["D"]


async def test_entries_that_do_not_fit_into_an_answer_are_in_the_next_part():
    site = Site("abcd")
    part = await site.part("", 4, max_chars=12)
    assert ("".join(part.items), part.complete) == ("AB", False)
    assert "".join((await site.part(part.next_cursor, 4)).items) == "CD"


async def test_an_empty_list_is_complete():
    assert await Site("").part("", 5) == PagesPart([], True, None)


async def test_a_cursor_of_another_list_is_refused():
    cursor = (await Site("abc").part("", 1)).next_cursor
    with pytest.raises(ServiceError) as raised:
        start_of("another list", cursor)
    assert raised.value.code is ErrorCode.INVALID_ARGUMENT
