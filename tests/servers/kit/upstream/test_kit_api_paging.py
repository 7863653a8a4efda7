"""Tests of lists in pages: links, cursors, numbers, bounds, and going on later."""

from __future__ import annotations

import httpx2
import pytest
from dyber_kit import ErrorCode, ServiceError
from dyber_kit.calling.cursors import MAX_CURSOR_CHARS, decode_cursor, encode_cursor
from dyber_kit.upstream.api.answers import ApiAnswer
from dyber_kit.upstream.api.credentials import HeaderKey
from dyber_kit.upstream.api.paging import collect, cursor_at, link_header, page_number, read_pages, url_at
from dyber_kit.upstream.api.requests import ApiRequest

ISSUES = ApiRequest(
    "GET", "/repos/{owner}/{repo}/issues", {"owner": "octocat", "repo": "hello"}, params={"per_page": 10}
)


def numbers(items) -> list[int]:
    return [item["number"] for item in items]


async def test_links_are_followed_to_the_last_page(client, platform):
    listed = await collect(client, ISSUES, link_header(), limit=100)
    assert numbers(listed.items) == list(range(1, 26))
    assert (listed.complete, listed.position, listed.pages) == (True, None, 3)
    assert len(platform.state.requests) == 3


async def test_no_more_pages_are_read_than_the_items_need(client, platform):
    listed = await collect(client, ISSUES, link_header(), limit=20)
    assert (len(listed.items), listed.complete, len(platform.state.requests)) == (20, False, 2)


@pytest.mark.parametrize("limit", [1, 7, 10, 13, 25])
async def test_going_on_returns_every_item_once(client, limit):
    items, position, rounds = [], None, 0
    while True:
        listed = await collect(client, ISSUES, link_header(), limit=limit, position=position)
        items += listed.items
        rounds += 1
        if listed.complete:
            break
        cursor = encode_cursor("issues", listed.position)
        assert len(cursor) < MAX_CURSOR_CHARS
        position = decode_cursor("issues", cursor)
    assert numbers(items) == list(range(1, 26))
    assert rounds <= -(-25 // limit) + 1


async def test_a_position_does_not_choose_the_path(client, platform):
    first = await collect(client, ISSUES, link_header(), limit=15)
    assert first.position == {"params": {"page": "2"}, "skip": 5}
    await collect(client, ISSUES, link_header(), limit=1, position={**first.position, "path": "/private"})
    assert platform.state.requests[-1] == "GET /repos/octocat/hello/issues?per_page=10&page=2"


@pytest.mark.parametrize(
    "position", [{}, {"params": [], "skip": 0}, {"params": {}, "skip": -1}, {"params": {"a": {}}, "skip": 0}]
)
async def test_a_position_of_another_kind_is_refused(client, refusal, position):
    error = await refusal(collect(client, ISSUES, link_header(), limit=1, position=position))
    assert error.code is ErrorCode.INVALID_ARGUMENT


async def test_the_pages_of_a_list_are_bounded(client, platform):
    listed = await collect(
        client,
        ApiRequest("GET", "/cursor/endless"),
        cursor_at("data.cursor", more_at="data.has_more"),
        items_at="data.items",
        limit=1000,
        max_pages=4,
    )
    assert (listed.items, listed.complete, listed.pages) == (list(range(8)), False, 4)
    assert listed.position == {"params": {"cursor": 4}, "skip": 0}


async def test_a_platform_that_repeats_a_page_does_not_repeat_items(client, platform):
    listed = await collect(
        client, ApiRequest("GET", "/cursor/repeating"), cursor_at("data.cursor"), items_at="data.items", limit=1000
    )
    assert (listed.items, listed.complete, listed.position) == ([0, 1, 2, 3], False, None)
    assert len(platform.state.requests) == 2


@pytest.mark.parametrize(
    "next_page",
    [
        cursor_at("data.cursor", more_at="data.has_more"),
        url_at("paging.next", ended_at="paging.is_end"),
        page_number("data.has_more", "cursor", first=0),
    ],
    ids=["cursor", "url", "number"],
)
async def test_cursors_addresses_and_numbers_lead_to_the_end(client, next_page):
    request = ApiRequest("GET", "/cursor/normal")
    listed = await collect(client, request, next_page, items_at="data.items", limit=100)
    assert (listed.items, listed.complete) == ([0, 1, 2, 3, 4, 5], True)


@pytest.mark.parametrize("kind", ["elsewhere", "no-address"])
async def test_a_next_page_that_is_not_on_the_platform_is_not_asked(make_client, platform, refusal, kind):
    client = make_client(signer=HeaderKey("the-key-value"))
    request = ApiRequest("GET", f"/cursor/{kind}")
    error = await refusal(collect(client, request, url_at("paging.next"), items_at="data.items", limit=100))
    assert (error.code, len(platform.state.requests)) == (ErrorCode.UPSTREAM_CHANGED, 1)


async def test_a_page_without_a_list_is_reported(client, refusal):
    request = ApiRequest("GET", "/cursor/no-list")
    error = await refusal(collect(client, request, cursor_at("data.cursor"), items_at="data.items", limit=5))
    assert error.code is ErrorCode.UPSTREAM_CHANGED


@pytest.mark.parametrize(
    "header", ["", "<", ">;rel=next", '<http://[::1>; rel="next"', "<x>; rel", "<a>,<b>;rel=prev", ";;,,"]
)
async def test_an_odd_link_header_is_no_crash(header):
    answer = ApiAnswer(200, httpx2.Headers({"link": header}), b"[]", httpx2.URL("http://api.example/"))
    try:
        following = link_header()(answer)
    except ServiceError as error:
        assert error.code is ErrorCode.UPSTREAM_CHANGED
    else:
        assert following is None or following.startswith("http://api.example/")


async def test_pages_can_be_read_one_by_one(client, platform):
    sizes = [len(page.json()) async for page in read_pages(client, ISSUES, link_header(), max_pages=2)]
    assert sizes == [10, 10]
    assert len(platform.state.requests) == 2


async def test_all_pages_count_as_the_same_endpoint_for_the_limits_of_the_platform(client, platform, refusal):
    platform.state.remaining["core"] = 1
    error = await refusal(collect(client, ISSUES, link_header(), limit=100))
    assert (error.code, len(platform.state.requests)) == (ErrorCode.RATE_LIMITED, 1)
