"""Tests of what is asked of the official API: hot lists, summaries, tokens, the daily count, and its refusals."""

from __future__ import annotations

import pytest
from dyber_kit import Settings

from tests.stand_in.running import free_port


async def test_a_hot_list_names_its_origin_and_time(ask, state):
    hot = await ask("hot_list", board="科技榜", limit=3)
    assert (hot["board"], hot["count"], hot["source"]) == ("科技榜", 3, "official")
    assert hot["attribution"] == "科技榜 2026-11-29 16:37，来自于微博热搜"
    assert hot["as_of"] == "2026-11-29T16:37:00+08:00"
    assert hot["items"] == [
        {"rank": 1, "word": "热搜1", "heat": 999_999, "flag": "新"},
        {"rank": 2, "word": "热搜2", "heat": 999_998, "flag": "热"},
        {"rank": 3, "word": "热搜3", "heat": 999_997},
    ]
    assert "category=%E7%A7%91%E6%8A%80%E6%A6%9C" in state.asked("hot_search")[0]
    assert hot["fetched_at"].endswith("+08:00")


async def test_links_come_with_verbose(ask):
    hot = await ask("hot_list", limit=1, verbose=True)
    assert hot["items"][0]["url"] == "https://m.weibo.cn/search?q=热搜1"


async def test_odd_shapes_of_a_hot_list_are_read(ask, state):
    state.api_case = "odd"
    hot = await ask("hot_list")
    assert hot["items"] == [{"word": "只有词"}, {"rank": 2, "word": "标签&", "heat": 125_000, "flag": "16"}]


async def test_an_empty_hot_list_says_so(ask, state):
    state.api_case = "empty"
    hot = await ask("hot_list")
    assert (hot["items"], hot["warnings"]) == ([], ["微博给的榜单是空的"])


async def test_a_summary_is_cut_and_names_its_origin(ask):
    found = await ask("ai_search", query="#人工智能#", max_chars=100)
    assert (len(found["content"]), found["truncated"], found["complete"]) == (100, True, True)
    assert found["attribution"] == "关键词: #人工智能#，2026-11-29 16:37，来自于微博智搜"
    assert (found["references"], found["as_of"]) == (5, "2026-11-29T16:37:00+08:00")


async def test_a_summary_that_is_being_written_is_not_shown_as_complete(ask, state):
    state.api_case = "writing"
    found = await ask("ai_search", query="手机")
    assert (found["content"], found["complete"]) == ("写了一半", False)
    assert "半分钟后再问" in found["warnings"][0]


async def test_a_query_without_content_says_so(ask, state):
    state.api_case = "nothing"
    found = await ask("ai_search", query="手机")
    assert (found["content"], found["complete"], found["warnings"]) == ("", True, ["微博没有找到相关内容"])


async def test_a_token_that_the_platform_no_longer_accepts_is_renewed_once(make, ask, state):
    state.api_case = "expired"
    app = make()
    await ask("hot_list", at=app)
    await ask("hot_list", at=app)
    assert (state.tokens, len(state.asked("/open/weibo/hot_search"))) == (2, 3)


async def test_wrong_credentials_name_the_settings_and_hide_the_secret(make, refusal, state):
    app = make(app_secret="hunter2hunter2")
    text = await refusal("hot_list", at=app)
    assert text.startswith("LOGIN_EXPIRED：") and "hunter2" not in text
    assert "App" in text or "编号" in text or "id" in text


@pytest.mark.parametrize(("case", "code"), [("refused", "UPSTREAM_CHANGED"), ("quota", "RATE_LIMITED")])
async def test_each_refusal_of_the_api_has_its_code(refusal, state, make, case, code):
    state.api_case = case
    app = make()
    assert (await refusal("hot_list", at=app)).startswith(f"{code}：")


async def test_requests_are_counted_and_stop_at_the_daily_limit(serve, ask, refusal, state, tmp_path):
    settings = Settings(port=free_port(), data_dir=tmp_path)
    with serve(settings, daily_requests=2) as base:
        for board in ("主榜", "文娱榜"):
            await ask("hot_list", at=base, board=board)
        text = await refusal("hot_list", at=base, board="社会榜")
        status = await ask("login_status", at=base)
    assert text.startswith("QUOTA_EXHAUSTED：") and "WEIBO_DAILY_REQUESTS" in text
    assert status["official_left_today"] == 0
    assert len(state.asked("/open/weibo/hot_search")) == 2


async def test_answers_are_cached(make, ask, state):
    app = make(cache_seconds=600.0)
    first = await ask("hot_list", at=app, limit=2)
    second = await ask("hot_list", at=app, limit=5)
    assert (first["source"], second["source"], second["count"]) == ("official", "cache", 5)
    assert first["fetched_at"] == second["fetched_at"] and len(state.asked("hot_search")) == 1


async def test_without_credentials_the_main_board_is_read_from_the_site(serve, ask, refusal, state):
    with serve(app_id=None, app_secret=None) as base:
        hot = await ask("hot_list", at=base, limit=50, verbose=True)
        other = await refusal("hot_list", at=base, board="科技榜")
        summary = await refusal("ai_search", at=base, query="手机")
    assert (hot["source"], hot["count"], "广告" in str(hot["items"])) == ("browser", 50, False)
    assert hot["items"][0] == {
        "rank": 1, "word": "话题1", "heat": 899_999, "flag": "热", "url": "https://s.weibo.com/weibo?q=%23%E8%AF%9D%E9%A2%981%23",
    }  # fmt: skip
    assert "官方接口" in hot["warnings"][0]
    for text in (other, summary):
        assert text.startswith("NOT_CONFIGURED：") and "WEIBO_APP_ID" in text and "WEIBO_APP_SECRET" in text
    assert state.asked("/open/") == []


@pytest.mark.parametrize("words", ["  ", "手机\x00"])
async def test_blank_words_and_control_characters_are_refused_before_anything_is_asked(make, refusal, state, words):
    for tool, name in (("ai_search", "query"), ("search_posts", "keyword")):
        assert (await refusal(tool, at=make(), **{name: words})).startswith("INVALID_ARGUMENT：")
    assert state.requests == []
