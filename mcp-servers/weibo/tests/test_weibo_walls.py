"""Tests that every wall of the site becomes its error, and never an empty answer, in a real Chromium."""

from __future__ import annotations

import pytest
from dyber_kit import Settings

from tests.stand_in.platforms.weibo import data
from tests.stand_in.running import free_port

CASES = {
    "logged_out": "LOGIN_REQUIRED",
    "login_wall": "LOGIN_REQUIRED",
    "expired": "LOGIN_REQUIRED",
    "captcha": "CAPTCHA_REQUIRED",
    "captcha_page": "CAPTCHA_REQUIRED",
    "limited": "RATE_LIMITED",
    "teapot": "RATE_LIMITED",
    "too_often": "RATE_LIMITED",
    "forbidden": "ACCESS_RESTRICTED",
    "private": "ACCESS_RESTRICTED",
    "frozen": "ACCESS_RESTRICTED",
    "unknown": "ACCESS_RESTRICTED",
    "removed": "NOT_FOUND",
    "changed": "UPSTREAM_CHANGED",
}


@pytest.mark.parametrize(("case", "code"), CASES.items())
async def test_each_wall_of_a_post_has_its_code(refusal, state, case, code):
    state.case = case
    assert (await refusal("get_post", post=data.VIDEO)).startswith(f"{code}：")


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("search_posts", {"keyword": "手机"}),
        ("user_posts", {"user": data.UID}),
        ("get_user", {"user": data.UID}),
        ("hot_timeline", {}),
        ("get_comments", {"post": data.VIDEO}),
    ],
)
@pytest.mark.parametrize("case", ["captcha", "limited", "changed"])
async def test_no_tool_shows_a_wall_as_an_empty_list(refusal, state, tool, arguments, case):
    state.case, state.member = case, True
    text = await refusal(tool, **arguments)
    assert text.startswith(f"{CASES[case]}：")


async def test_a_verification_at_the_posts_of_a_user_is_no_missing_login(refusal, state):
    state.case, state.member = "captcha_at_posts", True
    assert (await refusal("user_posts", user=data.UID)).startswith("CAPTCHA_REQUIRED：")
    assert state.asked("getWaterFallContent") == []


async def test_search_results_in_another_shape_are_no_empty_list(refusal, state):
    state.member, state.case = True, "renamed_cards"
    assert (await refusal("search_posts", keyword="手机")).startswith("UPSTREAM_CHANGED：")


@pytest.mark.parametrize("case", ["logged_out", "removed", "html", "error"])
async def test_walls_are_also_seen_when_the_page_is_told_to_ask(refusal, state, case):
    state.case, state.lazy = case, True
    codes = {"logged_out": "LOGIN_REQUIRED", "removed": "NOT_FOUND", "html": "UPSTREAM_CHANGED",
             "error": "UPSTREAM_UNREACHABLE"}  # fmt: skip
    assert (await refusal("get_post", post=data.VIDEO)).startswith(f"{codes[case]}：")


async def test_a_search_needs_a_login_and_says_how(refusal):
    text = await refusal("search_posts", keyword="手机")
    assert text.startswith("LOGIN_REQUIRED：") and "weibo_login_qrcode" in text


@pytest.mark.parametrize("case", ["private", "unknown", "html"])
async def test_a_post_is_shown_although_its_comments_are_refused(ask, state, case):
    state.comments_case = case
    post = await ask("get_post", post=data.VIDEO)
    assert post["text"].startswith("看视频") and post["comments"] == []
    assert post["warnings"][0].startswith("评论没有读到：")


@pytest.mark.parametrize(("case", "code"), [("limited", "RATE_LIMITED"), ("captcha", "CAPTCHA_REQUIRED")])
async def test_a_wall_of_the_account_at_the_comments_stops_everything(refusal, state, case, code):
    state.comments_case = case
    assert (await refusal("get_post", post=data.VIDEO)).startswith(f"{code}：")


@pytest.mark.parametrize(
    "behaviour", [{"comments_case": "suspended"}, {"case": "suspended_at_long_text"}], ids=["comments", "long_text"]
)
async def test_a_suspension_of_the_account_beside_a_post_begins_a_pause(serve, refusal, state, behaviour):
    vars(state).update(behaviour)
    with serve(pause_seconds=900.0) as base:
        assert (await refusal("get_post", at=base, post=data.LONG)).startswith("ACCESS_RESTRICTED：")
        before = len(state.requests)
        assert (await refusal("get_user", at=base, user=data.UID)).startswith("ACCESS_RESTRICTED：")
    assert len(state.requests) == before


async def test_missing_comments_are_not_called_complete_silently(ask, state):
    state.case = "empty"
    part = await ask("get_comments", post=data.VIDEO)
    assert (part["items"], part["total"]) == ([], 45)
    assert part["warnings"] == ["微博说有 45 条评论，但这里一条也没有显示"]


async def test_a_long_text_that_cannot_be_read_is_marked(ask, state):
    state.case = "no_long_text"
    post = await ask("get_post", post=data.LONG, comments=0)
    assert post["text_truncated"] and post["text"] == data.LONG_TEXT[:140]
    assert post["warnings"][0].startswith("只读到了正文的开头：")


async def test_users_and_short_links_that_do_not_exist_are_not_found(refusal, sites):
    assert (await refusal("get_user", user="没有这个人")).startswith("NOT_FOUND：")
    assert (await refusal("get_post", post=f"{sites.web}/t.cn/A6gone")).startswith("NOT_FOUND：")
    assert (await refusal("get_post", post=f"{sites.web}/t.cn/A6evil")).startswith("INVALID_ARGUMENT：")


@pytest.mark.parametrize(
    ("link", "code"),
    [
        ("A6missing", "NOT_FOUND"),
        ("A6busy", "RATE_LIMITED"),
        ("A6teapot", "RATE_LIMITED"),
        ("A6broken", "UPSTREAM_UNREACHABLE"),
    ],
)
async def test_a_short_link_that_is_refused_is_not_called_missing(refusal, sites, link, code):
    assert (await refusal("get_post", post=f"{sites.web}/t.cn/{link}")).startswith(f"{code}：")


async def test_short_links_keep_to_the_pause_and_begin_one(make, refusal, sites, state):
    app = make(pause_seconds=900.0)
    assert (await refusal("get_post", at=app, post=f"{sites.web}/t.cn/A6busy")).startswith("RATE_LIMITED：")
    before = len(state.requests)
    assert (await refusal("get_post", at=app, post=f"{sites.web}/t.cn/A6abcdef")).startswith("RATE_LIMITED：")
    assert len(state.requests) == before


async def test_a_slow_site_is_a_timeout(serve, refusal, state):
    state.seconds = 30.0
    with serve(page_seconds=4.0) as base:
        assert (await refusal("get_user", at=base, user=data.UID)).startswith("TIMEOUT：")
        state.seconds = 0.0


async def test_after_a_wall_no_page_is_opened_and_the_status_says_until_when(serve, ask, refusal, state, tmp_path):
    state.case = "limited"
    with serve(Settings(port=free_port(), data_dir=tmp_path), pause_seconds=900.0) as base:
        first = await refusal("get_post", at=base, post=data.VIDEO)
        before = len(state.requests)
        second = await refusal("get_user", at=base, user=data.UID)
        status = await ask("login_status", at=base)
        hot = await ask("hot_list", at=base, limit=1)
    assert first.startswith("RATE_LIMITED：") and second.startswith("RATE_LIMITED：")
    assert (status["risk"], "paused_until" in status, "logged_in" in status) == ("limited", True, False)
    assert hot["source"] == "official" and state.requests[before:] == [
        request for request in state.requests[before:] if request.startswith("/open/")
    ]  # fmt: skip


async def test_words_of_users_are_no_walls(ask, state):
    state.case = "words_of_a_wall"
    post = await ask("get_post", post=data.VIDEO, comments=1)
    assert post["text"] == "请求过于频繁，用户不存在" and len(post["comments"]) == 1


async def test_a_refused_call_that_is_not_needed_does_no_harm(ask, state):
    state.case = "no_side"
    assert (await ask("hot_timeline", limit=1))["count"] == 1


async def test_an_empty_recommendation_says_so(ask, state):
    state.case = "empty"
    posts = await ask("hot_timeline")
    assert (posts["items"], posts["warnings"]) == ([], ["微博现在没有推荐任何帖子"])
