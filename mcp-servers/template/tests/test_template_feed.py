"""Tests of searching and reading the feed, page by page, and of every failure of the feed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from dyber_kit import ErrorCode, Metrics, ServiceError, Settings
from dyber_kit.language import using_language
from dyber_kit.upstream.cache import Cache

import template_stand_in
from template_server.config import URL_SETTING, FeedSettings
from template_server.feed import MAX_PAGES, SEARCH_TOOL, FeedReader
from template_server.service import NAME

MakeReader = Callable[..., FeedReader]


def ids(first: int, last: int, step: int = 1) -> list[str]:
    return [f"entry-{number}" for number in range(first, last + 1, step)]


async def error_of_search(reader: FeedReader) -> ServiceError:
    with pytest.raises(ServiceError) as raised:
        await reader.search("", 10, "")
    return raised.value


async def test_pages_follow_each_other_without_gaps_and_end(reader: MakeReader) -> None:
    feed_reader = reader()
    seen, cursor = [], ""
    while cursor is not None:
        result = await feed_reader.search("", 7, cursor)
        seen += [item.id for item in result.items]
        cursor = result.next_cursor
    assert seen == ids(1, 25)


async def test_a_query_is_searched_for_in_the_text_on_every_page(reader: MakeReader) -> None:
    result = await reader().search("偶数", 20, "")
    assert [item.id for item in result.items] == ids(2, 24, 2)
    assert (result.count, result.next_cursor, result.complete) == (12, None, True)


async def test_a_search_without_matches_returns_an_empty_list_and_no_error(reader: MakeReader) -> None:
    assert (await reader().search("没有这个词", 10, "")).items == []


async def test_a_small_answer_limit_makes_shorter_pages_without_gaps(reader: MakeReader) -> None:
    feed_reader = reader(settings=Settings(max_answer_chars=1500))
    first = await feed_reader.search("偶数", 20, "")
    assert 0 < first.count < 12
    second = await feed_reader.search("偶数", 20, first.next_cursor or "")
    assert second.items[0].id == f"entry-{2 * first.count + 2}"


async def test_a_cursor_of_another_query_is_refused(reader: MakeReader) -> None:
    feed_reader = reader()
    cursor = (await feed_reader.search("", 5, "")).next_cursor or ""
    with pytest.raises(ServiceError) as raised:
        await feed_reader.search("偶数", 5, cursor)
    assert raised.value.code is ErrorCode.INVALID_ARGUMENT


async def test_an_endless_feed_is_read_up_to_the_maximum_of_pages_and_marked_incomplete(reader: MakeReader) -> None:
    result = await reader("endless").search("没有这个词", 10, "")
    assert result.complete is False
    requested = [path for path in template_stand_in.requests if path.startswith("/endless/")]
    assert len(requested) == MAX_PAGES


async def test_an_entry_is_plain_text_with_its_time_in_utc(reader: MakeReader) -> None:
    entry = await reader().get("entry-12", 4000)
    assert (entry.text, entry.published) == ("正文 12\n\n偶数", "2026-01-12T00:00:00Z")
    assert (entry.authors, entry.tags, entry.truncated) == (["测试"], ["样例"], False)


async def test_a_long_text_is_cut_and_marked_as_truncated(reader: MakeReader) -> None:
    entry = await reader().get("entry-12", 3)
    assert (entry.text, entry.truncated) == ("正文", True)


async def test_an_unknown_entry_is_not_found(reader: MakeReader) -> None:
    with pytest.raises(ServiceError) as raised:
        await reader().get("entry-99", 4000)
    assert raised.value.code is ErrorCode.NOT_FOUND
    assert raised.value.next_step == f"请使用 {SEARCH_TOOL} 返回的 id"
    with using_language("en"):
        assert raised.value.next_step == f"Use an id that {SEARCH_TOOL} returned"


async def test_concurrent_searches_fetch_a_page_once(reader: MakeReader) -> None:
    feed_reader = reader("ok")
    before = template_stand_in.requests["/ok/feed.json"]
    await asyncio.gather(*(feed_reader.search("", 5, "") for _ in range(10)))
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
async def test_each_failure_of_the_upstream_has_its_code(reader: MakeReader, case: str, code: ErrorCode) -> None:
    assert (await error_of_search(reader(case))).code is code


async def test_after_a_rate_limit_calls_are_refused_with_the_time_to_wait(reader: MakeReader) -> None:
    feed_reader = reader("limited")
    await error_of_search(feed_reader)
    requests = template_stand_in.requests["/limited/feed.json"]
    second = await error_of_search(feed_reader)
    assert second.code is ErrorCode.RATE_LIMITED
    assert second.retry_after and second.retry_after > 60
    assert template_stand_in.requests["/limited/feed.json"] == requests


async def test_a_next_page_on_another_host_is_not_followed(reader: MakeReader) -> None:
    error = await error_of_search(reader("elsewhere"))
    assert (error.code, error.message) == (ErrorCode.UPSTREAM_CHANGED, "来源的下一页在另一个网站上，没有读取")


async def test_without_an_upstream_the_error_names_the_missing_setting() -> None:
    error = await error_of_search(FeedReader(FeedSettings(), Settings(), Cache(NAME, "1"), Metrics(NAME)))
    assert error.code is ErrorCode.NOT_CONFIGURED
    assert URL_SETTING in error.message and URL_SETTING in error.next_step


def test_the_error_for_an_invalid_address_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_SETTING, "feed.example")
    with pytest.raises(ValueError, match=URL_SETTING):
        FeedSettings.from_environment()
