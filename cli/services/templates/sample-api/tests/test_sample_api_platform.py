"""Tests of searching and reading items, and of every refusal by the platform."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from dyber_kit import ErrorCode, ServiceError, Settings
from dyber_kit.language import using_language

import sample_api_stand_in
from sample_api_server.config import BASE_URL_SETTING, TOKEN_SETTING, ApiSettings
from sample_api_server.platform import Platform

MakePlatform = Callable[..., Awaitable[Platform]]


async def error_of_search(platform: Platform, cursor: str = "") -> ServiceError:
    with pytest.raises(ServiceError) as raised:
        await platform.search("", 10, cursor)
    return raised.value


async def test_pages_follow_each_other_without_gaps_and_end(make_platform: MakePlatform, api: ApiSettings) -> None:
    platform = await make_platform(api)
    seen, cursor = [], ""
    while cursor is not None:
        result = await platform.search("", 30, cursor)
        seen += [item.id for item in result.items]
        cursor = result.next_cursor
    assert seen == [str(number) for number in range(1, sample_api_stand_in.ITEMS + 1)]


async def test_the_query_reaches_the_platform(make_platform: MakePlatform, api: ApiSettings) -> None:
    result = await (await make_platform(api)).search("偶数", 3, "")
    assert [item.id for item in result.items] == ["2", "4", "6"]


async def test_a_search_without_matches_is_an_empty_list(make_platform: MakePlatform, api: ApiSettings) -> None:
    result = await (await make_platform(api)).search("没有这个词", 10, "")
    assert (result.items, result.count, result.next_cursor) == ([], 0, None)


async def test_short_answers_have_fewer_items_without_gaps(make_platform: MakePlatform, api: ApiSettings) -> None:
    platform = await make_platform(api, Settings(max_answer_chars=3000))
    first = await platform.search("", 30, "")
    second = await platform.search("", 30, first.next_cursor or "")
    assert 0 < first.count < 30
    assert second.items[0].id == str(first.count + 1)


async def test_a_cursor_of_another_query_is_refused(make_platform: MakePlatform, api: ApiSettings) -> None:
    platform = await make_platform(api)
    cursor = (await platform.search("偶数", 5, "")).next_cursor or ""
    assert (await error_of_search(platform, cursor)).code is ErrorCode.INVALID_ARGUMENT


async def test_an_item_is_plain_text_with_its_time_in_utc(make_platform: MakePlatform, api: ApiSettings) -> None:
    item = await (await make_platform(api)).get("12", 4000)
    assert (item.text, item.updated, item.author) == ("正文 12\n\n偶数", "2026-01-13T00:00:00Z", "测试")
    assert item.truncated is False


async def test_a_long_text_is_cut_and_marked_as_truncated(make_platform: MakePlatform, api: ApiSettings) -> None:
    item = await (await make_platform(api)).get("12", 2)
    assert (item.text, item.truncated) == ("正文", True)


async def test_concurrent_calls_ask_for_an_item_once(make_platform: MakePlatform, api: ApiSettings) -> None:
    platform = await make_platform(api)
    before = sample_api_stand_in.requests["/ok/v1/items/7"]
    await asyncio.gather(*(platform.get("7", 4000) for _ in range(10)))
    assert sample_api_stand_in.requests["/ok/v1/items/7"] == before + 1


async def test_an_unknown_item_is_not_found(make_platform: MakePlatform, api: ApiSettings) -> None:
    with pytest.raises(ServiceError) as raised:
        await (await make_platform(api)).get("999", 4000)
    assert (raised.value.code, raised.value.request_id) == (ErrorCode.NOT_FOUND, "request-1")


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("limited", ErrorCode.RATE_LIMITED),
        ("403", ErrorCode.ACCESS_RESTRICTED),
        ("503", ErrorCode.UPSTREAM_UNREACHABLE),
        ("page", ErrorCode.UPSTREAM_CHANGED),
        ("changed", ErrorCode.UPSTREAM_CHANGED),
    ],
)
async def test_each_refusal_has_its_code(
    make_platform: MakePlatform, api: ApiSettings, upstream: str, case: str, code: ErrorCode
) -> None:
    platform = await make_platform(replace(api, base_url=f"{upstream}/{case}"))
    assert (await error_of_search(platform)).code is code


async def test_a_refused_token_is_named_and_not_shown(make_platform: MakePlatform, api: ApiSettings) -> None:
    error = await error_of_search(await make_platform(replace(api, token="wrong-token-5f2c")))
    assert (error.code, TOKEN_SETTING in error.next_step) == (ErrorCode.LOGIN_EXPIRED, True)
    assert "wrong-token-5f2c" not in error.text


async def test_a_missing_token_is_named(make_platform: MakePlatform, api: ApiSettings) -> None:
    error = await error_of_search(await make_platform(replace(api, token=None)))
    assert (error.code, TOKEN_SETTING in error.next_step) == (ErrorCode.NOT_CONFIGURED, True)


async def test_a_missing_address_is_named(make_platform: MakePlatform) -> None:
    platform = await make_platform(ApiSettings())
    error = await error_of_search(platform)
    assert (error.code, BASE_URL_SETTING in error.message) == (ErrorCode.NOT_CONFIGURED, True)
    assert platform.status().next_step == error.next_step
    assert error.next_step.startswith(f"请管理员在 Pulumi.<栈>.yaml 里本服务的 environment 里设置 {BASE_URL_SETTING}")
    with using_language("en"):
        assert platform.status().next_step == error.next_step
        assert error.next_step.startswith(f"Ask the operator to set {BASE_URL_SETTING}")


async def test_the_status_tells_the_limit_that_the_platform_stated(
    make_platform: MakePlatform, api: ApiSettings
) -> None:
    platform = await make_platform(api)
    assert platform.status().limits == []
    await platform.search("", 1, "")
    status = platform.status()
    assert (status.configured, status.token_set, status.next_step) == (True, True, None)
    assert [(limit.limit, limit.remaining) for limit in status.limits] == [(100, 99)]


@pytest.mark.parametrize("url", ["platform.example", "ftp://platform.example", "https://platform.example?key=1"])
def test_an_address_that_cannot_be_used_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv(BASE_URL_SETTING, url)
    with pytest.raises(ValueError, match=BASE_URL_SETTING):
        ApiSettings.from_environment()
