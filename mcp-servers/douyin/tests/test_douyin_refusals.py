"""Tests of the site's refusals: each has its code, and none looks like an empty result."""

from __future__ import annotations

import pytest
from dyber_kit import Settings
from dyber_kit.serving.server import build_server

from tests.stand_in.platforms.douyin import data
from tests.stand_in.running import free_port, running

CALLS = [
    ("limited", "RATE_LIMITED"),
    ("frequent", "RATE_LIMITED"),
    ("blocked", "ACCESS_RESTRICTED"),
    ("no body", "ACCESS_RESTRICTED"),
    ("login wall", "LOGIN_REQUIRED"),
    ("verify", "CAPTCHA_REQUIRED"),
    ("unknown", "ACCESS_RESTRICTED"),
    ("broken", "UPSTREAM_UNREACHABLE"),
    ("captcha page", "CAPTCHA_REQUIRED"),
    ("captcha box", "CAPTCHA_REQUIRED"),
    ("too often", "RATE_LIMITED"),
    ("page broken", "UPSTREAM_UNREACHABLE"),
    ("changed", "UPSTREAM_CHANGED"),
]


@pytest.mark.parametrize(("case", "code"), [*CALLS, ("empty", "UPSTREAM_CHANGED")])
async def test_each_refusal_of_the_hot_list_has_its_code(refused, state, case, code):
    state.case = case
    assert (await refused("hot_list")).startswith(f"{code}：")


@pytest.mark.usefixtures("member")
@pytest.mark.parametrize(
    ("case", "code"),
    [
        *(
            (case, code)
            for case, code in CALLS
            if case in ("limited", "blocked", "no body", "frequent", "captcha page")
        ),
        ("verify check", "CAPTCHA_REQUIRED"),
        ("login wall", "LOGIN_EXPIRED"),
        ("changed", "UPSTREAM_CHANGED"),
    ],
)
async def test_each_refusal_of_a_search_has_its_code(refused, state, case, code):
    state.case = case
    assert (await refused("search", keyword="手冲")).startswith(f"{code}：")


@pytest.mark.parametrize(
    ("case", "code", "words"),
    [
        ("removed", "NOT_FOUND", "因作品权限或已被删除"),
        ("private", "ACCESS_RESTRICTED", "作者已将该作品设为私密"),
        ("gone page", "NOT_FOUND", ""),
        ("verify", "CAPTCHA_REQUIRED", "需要完成安全验证"),
        ("unknown", "ACCESS_RESTRICTED", "今日客满（代码 4711）"),
        ("changed", "UPSTREAM_CHANGED", ""),
    ],
)
async def test_each_refusal_of_a_video_has_its_code(refused, state, case, code, words):
    state.case, state.share = case, "nowhere"
    text = await refused("get_video", video=data.VIDEO, comments=3)
    assert text.startswith(f"{code}：") and words in text


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("removed", "NOT_FOUND"),
        ("blocked", "ACCESS_RESTRICTED"),
        ("limited", "RATE_LIMITED"),
        ("changed", "UPSTREAM_CHANGED"),
        ("login wall", "LOGIN_REQUIRED"),
    ],
)
async def test_each_refusal_of_a_profile_has_its_code(refused, state, case, code):
    state.case = case
    assert (await refused("get_user", user=data.USER)).startswith(f"{code}：")


async def test_a_guest_who_searches_is_told_to_log_in(refused):
    text = await refused("search", keyword="手冲")
    assert text.startswith("LOGIN_REQUIRED：") and "douyin_login_qrcode" in text


@pytest.mark.usefixtures("member")
async def test_a_session_that_is_no_longer_valid_has_expired(refused, state):
    state.expired = True
    assert (await refused("search", keyword="手冲")).startswith("LOGIN_EXPIRED：")


async def test_a_login_box_over_data_that_guests_may_see_is_no_refusal(ask, state):
    state.case = "login box over data"
    assert (await ask("hot_list", limit=2))["count"] == 2


async def test_a_login_box_in_place_of_the_data_is_a_refusal(refused, state):
    state.case = "login box"
    assert (await refused("hot_list")).startswith("LOGIN_REQUIRED：")


async def test_a_slow_page_is_waited_for(ask, state):
    state.case = "slow"
    assert (await ask("hot_list", limit=1))["count"] == 1


async def test_a_page_that_never_loads_is_a_timeout(refused, state, make):
    state.case = "never"
    with running(build_server(make(page_seconds=3))) as base:
        assert (await refused("hot_list", base)).startswith("TIMEOUT：")


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("comments login wall", "LOGIN_REQUIRED"),
        ("comments no body", "ACCESS_RESTRICTED"),
        ("comments limited", "RATE_LIMITED"),
        ("comments silent", "只加载出 10 条"),
    ],
)
async def test_a_video_whose_comments_are_refused_is_shown_with_a_warning(ask, state, case, words):
    state.case = case
    answer = await ask("get_video", video=data.VIDEO, comments=20)
    assert (answer["likes"], answer["comments_complete"]) == (12345, False)
    assert words in answer["warnings"][0]


async def test_comments_that_are_refused_are_not_shown_as_none(refused, state):
    state.case = "comments login wall"
    assert (await refused("get_comments", video=data.VIDEO)).startswith("LOGIN_REQUIRED：")


async def test_a_limit_for_comments_begins_a_pause_and_the_video_is_shown(ask, refused, state, make):
    state.case = "comments limited"
    with running(build_server(make(pause_seconds=900))) as base:
        answer = await ask("get_video", base, video=data.VIDEO, comments=5)
        state.reset()
        text = await refused("hot_list", base)
    assert answer["likes"] == 12345 and "RATE_LIMITED" in answer["warnings"][0]
    assert text.startswith("RATE_LIMITED：") and state.requests == []


async def test_a_limit_in_place_of_comments_begins_a_pause(refused, state, make):
    state.case = "comments limited"
    with running(build_server(make(pause_seconds=900))) as base:
        text = await refused("get_comments", base, video=data.VIDEO)
    assert text.startswith("RATE_LIMITED：") and "已暂停访问平台" in text


async def test_comments_that_the_site_counts_and_does_not_show_are_named(ask, state):
    state.case = "comments none"
    answer = await ask("get_comments", video=data.VIDEO)
    assert (answer["items"], answer["complete"]) == ([], True) and "25 条评论" in answer["warnings"][0]


@pytest.mark.usefixtures("member")
async def test_a_verification_in_the_middle_of_a_search_is_not_its_end(refused, state):
    state.case = "verify check later"
    assert (await refused("search", keyword="手冲", limit=30)).startswith("CAPTCHA_REQUIRED：")


@pytest.mark.usefixtures("member")
@pytest.mark.parametrize(
    ("case", "tool", "arguments", "limit"),
    [
        ("search silent", "search", {"keyword": "手冲"}, 10),
        ("posts silent", "list_user_videos", {"user": data.USER}, 18),
        ("comments silent", "get_comments", {"video": data.VIDEO}, 10),
    ],
)
async def test_a_part_of_a_list_that_does_not_load_is_not_empty(ask, refused, state, case, tool, arguments, limit):
    state.case = case
    first = await ask(tool, **arguments, limit=limit)
    assert (first["count"], first["complete"]) == (limit, False)
    text = await refused(tool, **arguments, limit=limit, cursor=first["next_cursor"])
    assert text.startswith("TIMEOUT：") and "没有加载出来" in text


async def test_the_videos_of_a_private_account_are_refused(refused, state):
    state.case = "private silent"
    text = await refused("list_user_videos", user=data.USER)
    assert text.startswith("ACCESS_RESTRICTED：") and "私密账号" in text


@pytest.mark.usefixtures("member")
async def test_a_search_that_the_page_repeats_with_success_is_no_refusal(ask, state):
    state.case, state.total = "search repeated", 5
    answer = await ask("search", keyword="手冲", limit=10)
    assert (answer["count"], answer["complete"], len(state.paths("/general/search/"))) == (5, True, 2)


async def test_a_private_account_says_so(ask, state):
    state.case = "private"
    answer = await ask("get_user", user=data.USER)
    assert (answer["private"], answer["videos"], answer["warnings"]) == (True, [], [])


async def test_a_user_without_videos_has_none_and_that_is_all(ask, state):
    state.case = "empty"
    answer = await ask("list_user_videos", user=data.USER)
    assert (answer["items"], answer["complete"], answer["warnings"]) == ([], True, [])


async def test_after_a_captcha_nothing_is_opened_and_the_status_says_until_when(refused, ask, state, make, tmp_path):
    state.case = "captcha page"
    app = make(Settings(port=free_port(), data_dir=tmp_path), pause_seconds=900)
    with running(build_server(app)) as base:
        first = await refused("hot_list", base)
        state.reset()
        second = await refused("get_video", base, video=data.VIDEO)
        status = await ask("login_status", base)
    assert first.startswith("CAPTCHA_REQUIRED：") and "15 分钟" in first and second.startswith("CAPTCHA_REQUIRED：")
    assert status["risk"] == "captcha" and status["paused_until"].endswith("+08:00")
    assert "logged_in" not in status and state.requests == []


async def test_the_days_pages_can_be_used_up(refused, ask, state, make):
    with running(build_server(make(daily_pages=1))) as base:
        await ask("hot_list", base, limit=1)
        text = await refused("get_video", base, video=data.VIDEO)
    assert text.startswith("RATE_LIMITED：") and not state.paths("slidesinfo")


@pytest.mark.parametrize("keyword", ["\u200b\u200b", "咖啡\x00"])
async def test_a_keyword_without_visible_text_is_refused_before_a_page_is_opened(refused, state, keyword):
    assert (await refused("search", keyword=keyword)).startswith("INVALID_ARGUMENT：")
    assert state.requests == []
