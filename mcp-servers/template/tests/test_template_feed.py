"""Searching and reading the feed, page by page, and every way in which it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import template_stand_in
from dyber_kit import ErrorCode, Metrics, ServiceError, Settings
from dyber_kit.upstream.cache import Cache
from template_server.config import FeedSettings
from template_server.feed import MAX_PAGES, FeedReader

Make = Callable[..., FeedReader]


def ids(first: int, last: int, step: int = 1) -> list[str]:
    return [f"entry-{number}" for number in range(first, last + 1, step)]


async def refusal(reader: FeedReader) -> ServiceError:
    with pytest.raises(ServiceError) as refused:
        await reader.search("", 10, "")
    return refused.value


async def test_pages_follow_each_other_without_gaps_and_end(reader: Make) -> None:
    opened = reader()
    seen, cursor = [], ""
    while cursor is not None:
        found = await opened.search("", 7, cursor)
        seen += [item.id for item in found.items]
        cursor = found.next_cursor
    assert seen == ids(1, 25)


async def test_a_query_is_looked_for_in_the_text_on_every_page(reader: Make) -> None:
    found = await reader().search("偶数", 20, "")
    assert [item.id for item in found.items] == ids(2, 24, 2)
    assert (found.count, found.next_cursor, found.complete) == (12, None, True)


async def test_nothing_found_is_an_empty_list_and_no_error(reader: Make) -> None:
    assert (await reader().search("没有这个词", 10, "")).items == []


async def test_a_small_answer_limit_makes_shorter_pages_that_lose_nothing(reader: Make) -> None:
    opened = reader(settings=Settings(max_answer_chars=1500))
    first = await opened.search("偶数", 20, "")
    assert 0 < first.count < 12
    second = await opened.search("偶数", 20, first.next_cursor or "")
    assert second.items[0].id == f"entry-{2 * first.count + 2}"


async def test_a_cursor_of_another_query_is_refused(reader: Make) -> None:
    opened = reader()
    cursor = (await opened.search("", 5, "")).next_cursor or ""
    with pytest.raises(ServiceError) as refused:
        await opened.search("偶数", 5, cursor)
    assert refused.value.code is ErrorCode.INVALID_ARGUMENT


async def test_a_feed_without_end_is_left_after_some_pages_and_the_answer_says_so(reader: Make) -> None:
    found = await reader("endless").search("没有这个词", 10, "")
    assert found.complete is False
    asked = [path for path in template_stand_in.requests if path.startswith("/endless/")]
    assert len(asked) == MAX_PAGES


async def test_an_entry_is_plain_text_with_its_time_in_utc(reader: Make) -> None:
    entry = await reader().get("entry-12", 4000)
    assert (entry.text, entry.published) == ("正文 12\n\n偶数", "2026-01-12T00:00:00Z")
    assert (entry.authors, entry.tags, entry.truncated) == (["测试"], ["样例"], False)


async def test_a_long_text_is_cut_and_says_so(reader: Make) -> None:
    entry = await reader().get("entry-12", 3)
    assert (entry.text, entry.truncated) == ("正文", True)


async def test_an_unknown_entry_is_not_found(reader: Make) -> None:
    with pytest.raises(ServiceError) as refused:
        await reader().get("entry-99", 4000)
    assert refused.value.code is ErrorCode.NOT_FOUND


async def test_a_page_is_fetched_once_however_many_ask(reader: Make) -> None:
    opened = reader("ok")
    before = template_stand_in.requests["/ok/feed.json"]
    await asyncio.gather(*(opened.search("", 5, "") for _ in range(10)))
    assert template_stand_in.requests["/ok/feed.json"] == before + 1


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("limited", ErrorCode.RATE_LIMITED),
        ("403", ErrorCode.ACCESS_RESTRICTED),
        ("404", ErrorCode.UPSTREAM_CHANGED),
        ("500", ErrorCode.UPSTREAM_UNREACHABLE),
        ("page", ErrorCode.UPSTREAM_CHANGED),
    ],
)
async def test_what_goes_wrong_upstream_has_a_code(reader: Make, case: str, code: ErrorCode) -> None:
    assert (await refusal(reader(case))).code is code


async def test_a_limited_upstream_is_left_alone_and_the_time_left_is_told(reader: Make) -> None:
    opened = reader("limited")
    await refusal(opened)
    asked = template_stand_in.requests["/limited/feed.json"]
    again = await refusal(opened)
    assert again.code is ErrorCode.RATE_LIMITED
    assert again.retry_after and again.retry_after > 60
    assert template_stand_in.requests["/limited/feed.json"] == asked


async def test_a_next_page_on_another_host_is_not_followed(reader: Make) -> None:
    refused = await refusal(reader("elsewhere"))
    assert (refused.code, refused.message) == (ErrorCode.UPSTREAM_CHANGED, "来源的下一页在另一个网站上，没有读取")


async def test_without_an_upstream_the_answer_says_what_to_set() -> None:
    metrics = Metrics("template")
    refused = await refusal(FeedReader(FeedSettings(), Settings(), Cache("template", "1"), metrics))
    assert refused.code is ErrorCode.NOT_CONFIGURED
    assert "TEMPLATE_UPSTREAM_URL" in refused.message and "TEMPLATE_UPSTREAM_URL" in refused.next_step


def test_an_address_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPLATE_UPSTREAM_URL", "feed.example")
    with pytest.raises(ValueError, match="TEMPLATE_UPSTREAM_URL"):
        FeedSettings.from_environment()
