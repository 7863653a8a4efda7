"""Tests of how answers and lists are kept, shared, and returned part by part."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from dyber_kit import ErrorCode, ServiceError
from dyber_kit.answer_models import Answer, Item, Notice
from dyber_kit.language import Translations, using_language
from dyber_kit.reading.lists import Listing, PagedList, SiteList
from dyber_kit.reading.memory import Memory
from dyber_kit.times import stamp
from dyber_kit.upstream.cache import Cache
from pydantic import Field

_tr_lazy = Translations("dyber_kit").tr_lazy


class Post(Item):
    name: str
    pinned: bool = False


class Posts(Answer):
    items: list[Post]
    warnings: list[Notice] = Field(default_factory=list)
    source: str = "browser"


class Clock:
    """Is the clock of a cache."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Site:
    """Is a platform with a list; counts how often it is read."""

    def __init__(self, names: str, loaded_at_most: int = 100) -> None:
        self.names = names
        self.loaded_at_most = loaded_at_most
        self.reads: list[tuple[int, int]] = []

    async def load(self, start: int, target: int) -> Listing[Post]:
        self.reads.append((start, target))
        await asyncio.sleep(0)
        shown = self.names[: min(target, self.loaded_at_most)]
        complete = len(shown) == len(self.names)
        return Listing[Post](items=[Post(name=name) for name in shown], complete=complete, fetched_at=stamp())

    def listed(self, most: int = 100, **changes: object) -> SiteList[Listing[Post], Post]:
        """Return the description of the list."""
        return SiteList(Listing[Post], "posts", most, 600, self.load, identity=lambda post: post.name, **changes)


def memory(cache: Cache | None = None, max_list_chars: int = 10_000) -> Memory:
    return Memory(cache or Cache("test", "1"), "plain", 600, max_list_chars, frame_chars=0)


def names(part) -> str:
    return "".join(post.name for post in part.items)


def same(post: Post) -> Post:
    return post


def answering(*warnings: Notice) -> Callable:
    """Return a function that reads an answer with these warnings, and counts in `reads`."""

    async def load() -> Posts:
        load.reads += 1
        await asyncio.sleep(0)
        return Posts(items=[Post(name="a")], warnings=list(warnings))

    load.reads = 0
    return load


async def test_an_answer_is_read_once_and_then_comes_from_the_cache():
    kept, load = memory(), answering()
    first = await kept.answer(Posts, "key", 60, load)
    second = await kept.answer(Posts, "key", 60, load)
    assert (first.source, second.source, second.items, load.reads) == ("browser", "cache", first.items, 1)


async def test_equal_calls_at_the_same_time_share_one_reading():
    kept, load = memory(), answering()
    await asyncio.gather(*(kept.answer(Posts, "key", 60, load) for _ in range(5)))
    assert load.reads == 1


async def test_answers_of_different_keys_types_and_prefixes_are_kept_apart():
    cache = Cache("test", "1")

    class Other(Posts):
        pass

    load = answering()
    await memory(cache).answer(Posts, "key", 60, load)

    async def load_other() -> Other:
        return Other(items=[])

    assert (await memory(cache).answer(Other, "key", 60, load_other)).source == "browser"
    assert (await memory(cache).answer(Posts, "other", 60, load)).source == "browser"
    assert (await Memory(cache, "masked", 600, 100).answer(Posts, "key", 60, load)).source == "browser"


async def test_an_answer_that_is_not_to_be_kept_is_read_again():
    kept, load = memory(), answering("incomplete")
    for _ in range(2):
        answer = await kept.answer(Posts, "key", 60, load, keep=lambda posts: not posts.warnings)
        assert answer.source == "browser"
    assert load.reads == 2


@pytest.mark.parametrize(("seconds", "longest"), [(60, 600), (600, 60)])
async def test_an_answer_is_kept_for_its_time_or_the_longest_time_of_the_service(seconds, longest):
    clock = Clock()
    kept, load = Memory(Cache("test", "1", clock=clock), "", longest, 100), answering()
    await kept.answer(Posts, "key", seconds, load)
    clock.seconds = 59
    assert (await kept.answer(Posts, "key", seconds, load)).source == "cache"
    clock.seconds = 61
    assert (await kept.answer(Posts, "key", seconds, load)).source == "browser"


async def test_a_kept_value_of_another_release_is_read_again():
    cache = Cache("test", "1")
    await cache.set("plain:Posts:key", {"items": "of another type"}, 60)
    assert (await memory(cache).answer(Posts, "key", 60, answering())).source == "browser"


async def read(kept: Memory, language: str) -> tuple[str, list[str]]:
    """Return source and warnings of an answer as a caller with a language sees them."""
    with using_language(language):
        answer = await kept.answer(Posts, "key", 60, answering(_tr_lazy("The service is busy")))
        shown = answer.model_dump(mode="json")
    return shown["source"], shown["warnings"]


async def test_a_kept_warning_is_shown_in_the_language_of_each_request():
    kept = memory()
    assert await read(kept, "en") == ("browser", ["The service is busy"])
    assert await read(kept, "zh") == ("cache", ["服务正忙"])
    assert await read(kept, "en") == ("cache", ["The service is busy"])


async def test_a_shared_warning_is_shown_in_the_language_of_each_request():
    kept = memory()
    english, chinese = await asyncio.gather(read(kept, "en"), read(kept, "zh"))
    assert (english[1], chinese[1]) == (["The service is busy"], ["服务正忙"])


async def test_a_list_is_returned_part_by_part_up_to_its_end():
    kept, site = memory(), Site("abcdefg")
    cursor, parts = "", []
    while cursor is not None:
        part = await kept.part(site.listed(), cursor, 3, same)
        parts.append((names(part), part.complete))
        cursor = part.next_cursor
    assert parts == [("abc", False), ("def", False), ("g", True)]
    assert site.reads == [(0, 3), (3, 6), (6, 9)]


async def test_a_part_that_was_read_before_comes_from_the_cache():
    kept, site = memory(), Site("abcdef")
    await kept.part(site.listed(), "", 4, same)
    part = await kept.part(site.listed(), "", 2, same)
    assert (names(part), part.source, part.complete, site.reads) == ("ab", "cache", False, [(0, 4)])


async def test_entries_keep_their_places_when_the_platform_ranks_its_list_anew():
    kept, site = memory(), Site("abcdef")
    first = await kept.part(site.listed(), "", 3, same)
    site.names = "fabcde"
    second = await kept.part(site.listed(), first.next_cursor, 3, same)
    assert (names(first), names(second)) == ("abc", "fde")


async def test_a_list_is_as_old_as_its_first_entries():
    clock = Clock()
    cache = Cache("test", "1", clock=clock)
    kept, site = memory(cache), Site("abcdef")
    long_ago = datetime.now(UTC) - timedelta(seconds=500)
    earlier = Listing[Post](items=[Post(name="a")], complete=False, fetched_at=stamp(long_ago))
    await cache.set("plain:posts", earlier, 100)
    part = await kept.part(site.listed(), "", 3, same)
    assert (names(part), part.listing.fetched_at) == ("abc", stamp(long_ago))
    clock.seconds = 101
    assert (await kept.part(site.listed(), "", 3, same)).source == "browser"


async def test_no_part_reaches_over_the_most_entries_of_a_list():
    kept, site = memory(), Site("abcdef")
    first = await kept.part(site.listed(most=4), "", 3, same)
    last = await kept.part(site.listed(most=4), first.next_cursor, 3, same)
    assert (names(last), last.complete, last.next_cursor) == ("d", False, None)


async def test_a_part_is_shortened_to_an_answer_and_the_next_part_goes_on_there():
    kept, site = memory(max_list_chars=30), Site("abc")
    first = await kept.part(site.listed(), "", 3, same)
    second = await kept.part(site.listed(), first.next_cursor, 3, same)
    assert (names(first), first.complete, names(second)) == ("ab", False, "c")
    assert [post.name for post in first.entries] == ["a", "b"]


async def test_a_part_has_its_entries_as_they_are_shown_and_with_all_fields():
    part = await memory().part(Site("ab").listed(), "", 1, lambda post: post.name.upper())
    assert (part.items, part.entries) == (["A"], [Post(name="a")])


async def test_a_part_has_the_fields_that_answers_have_in_common():
    part = await memory().part(Site("ab").listed(), "", 1, same)
    assert part.fields == {
        "items": [Post(name="a")], "count": 1, "complete": False, "next_cursor": part.next_cursor,
        "source": "browser", "fetched_at": part.listing.fetched_at,
    }  # fmt: skip


async def test_a_part_that_the_platform_did_not_load_is_missing():
    kept, site = memory(), Site("abcdef", loaded_at_most=2)
    first = await kept.part(site.listed(), "", 2, same)
    second = await kept.part(site.listed(), first.next_cursor, 2, same)
    assert (first.is_missing, second.is_missing, second.next_cursor) == (False, True, None)


async def test_an_empty_list_that_is_complete_is_not_missing():
    part = await memory().part(Site("").listed(), "", 2, same)
    assert (part.items, part.complete, part.is_missing, part.next_cursor) == ([], True, False, None)


async def test_a_list_that_is_not_to_be_kept_is_read_again():
    kept, site = memory(), Site("abc")
    for _ in range(2):
        await kept.part(site.listed(keep=lambda listing: bool(listing.warnings)), "", 3, same)
    assert site.reads == [(0, 3), (0, 3)]


async def test_parts_that_are_kept_by_themselves_are_read_one_by_one():
    kept, site = memory(), Site("abcd")
    whole = await kept.part(site.listed(keep_parts=True), "", 4, same)
    first = await kept.part(site.listed(keep_parts=True), "", 2, same)
    second = await kept.part(site.listed(keep_parts=True), first.next_cursor, 2, same)
    assert (names(whole), names(second), site.reads) == ("abcd", "cd", [(0, 4), (2, 4)])


async def test_equal_parts_at_the_same_time_share_one_reading():
    kept, site = memory(), Site("abc")
    await asyncio.gather(*(kept.part(site.listed(), "", 3, same) for _ in range(4)))
    assert site.reads == [(0, 3)]


async def test_a_cursor_of_another_list_is_refused():
    kept, site = memory(), Site("abc")
    first = await kept.part(site.listed(), "", 1, same)
    other = Memory(Cache("test", "1"), "masked", 600, 1000)
    with pytest.raises(ServiceError) as raised:
        await other.part(site.listed(), first.next_cursor, 1, same)
    assert raised.value.code is ErrorCode.INVALID_ARGUMENT


class Pages:
    """Is a platform with a list in pages."""

    def __init__(self, *pages: str) -> None:
        self.pages = pages
        self.reads: list[int] = []

    async def load(self, page: int) -> Listing[Post]:
        self.reads.append(page)
        items = [Post(name=name) for name in self.pages[page - 1]]
        return Listing[Post](items=items, complete=page == len(self.pages), fetched_at=stamp(), total=99)

    def listed(self) -> PagedList[Listing[Post], Post]:
        return PagedList(Listing[Post], "pages", 600, self.load)


async def test_no_part_of_a_list_in_pages_reaches_over_the_end_of_a_page():
    kept, site = memory(), Pages("abc", "d")
    cursor, parts = "", []
    while cursor is not None:
        part = await kept.page_part(site.listed(), cursor, 2, same)
        parts.append((names(part), part.complete, part.source, part.listing.total))
        cursor = part.next_cursor
    assert parts == [("ab", False, "browser", 99), ("c", False, "cache", 99), ("d", True, "browser", 99)]
    assert site.reads == [1, 2]


async def test_an_empty_page_is_the_end_of_a_list():
    kept, site = memory(), Pages("a", "", "never read")
    first = await kept.page_part(site.listed(), "", 2, same)
    second = await kept.page_part(site.listed(), first.next_cursor, 2, same)
    assert (second.items, second.complete, second.next_cursor) == ([], True, None)
