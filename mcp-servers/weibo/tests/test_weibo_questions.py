"""Tests that questions that users ask of Weibo are answered by the tools: each answer has the fact that was asked for.

The question of a test is its docstring, as users write it. The facts are those that the stand-in serves.
"""

# The questions are Chinese sentences, which do not end in ".".
# ruff: noqa: D400, D415

from __future__ import annotations

from tests.stand_in.platforms.weibo import data


async def test_what_is_on_the_hot_list(ask):
    """微博热搜前三是什么，注明来源"""
    answer = await ask("hot_list", limit=3)
    assert [(item["rank"], item["word"]) for item in answer["items"]] == [(1, "热搜1"), (2, "热搜2"), (3, "热搜3")]
    assert "来自于微博热搜" in answer["attribution"]


async def test_what_is_hot_in_technology_and_how_hot(ask, state):
    """科技榜第一是什么，热度多少，是新上榜的吗？"""
    answer = await ask("hot_list", board="科技榜", limit=1)
    assert answer["items"] == [{"rank": 1, "word": "热搜1", "heat": 999_999, "flag": "新"}]
    assert answer["board"] == "科技榜"


async def test_what_do_people_think_of_a_topic(ask):
    """大家怎么看人工智能，简单说说"""
    answer = await ask("ai_search", query="人工智能", max_chars=200)
    assert answer["content"] and answer["complete"]
    assert "微博智搜" in answer["attribution"] and answer["references"] == 5


async def test_what_does_this_post_say_in_full(ask):
    """把这条微博的全文念给我，配了几张图，发自哪里？"""
    answer = await ask("get_post", post=f"https://weibo.com/{data.UID}/{data.BIDS[data.LONG]}", comments=0)
    assert (answer["author"], answer["text"], answer["text_truncated"]) == (data.NAME, data.LONG_TEXT, False)
    assert (len(answer["picture_urls"]), answer["region"]) == (2, "北京")


async def test_what_is_behind_the_short_link_in_a_share_text(ask, sites):
    """这个 t.cn 短链接是哪条微博？"""
    answer = await ask("get_post", post=f"分享自微博 {sites.web}/t.cn/A6abcdef 复制打开", comments=0)
    assert (answer["post"], answer["author"]) == (data.LONG, data.NAME)


async def test_what_do_the_comments_say_and_did_the_author_answer(ask):
    """评论区最热的一条说什么，博主回复了吗？"""
    answer = await ask("get_comments", post=data.VIDEO, limit=1)
    first = answer["items"][0]
    assert (first["text"], first["likes"], answer["total"]) == ("评论 0 [doge]", 100, data.COMMENTS_TOTAL)
    assert [reply["text"] for reply in first["replies"] if reply.get("by_author")] == ["评论 900 [doge]"]


async def test_who_is_this_blogger_and_how_many_followers(ask):
    """“测试博主”是谁，有多少粉丝，发过多少微博？"""
    answer = await ask("get_user", user=data.NAME)
    assert (answer["verified"], answer["followers"], answer["posts"]) == ("数码博主", 26_712_000, 5246)


async def test_what_do_people_post_about_a_product(ask, state):
    """最近大家发帖怎么说手机，多少人点赞？"""
    state.member = True
    answer = await ask("search_posts", keyword="手机", sort="latest", limit=2)
    assert (answer["items"][0]["author"], answer["items"][0]["likes"]) == ("作者0", 1_000_000)
    assert "电池很好" in answer["items"][0]["text"] and answer["items"][0]["lower_bounds"] == ["likes"]


async def test_what_did_this_blogger_post_lately_and_what_was_liked_most(ask, state):
    """这个博主最近发了什么，哪条最受欢迎？"""
    state.member = True
    posts = await ask("user_posts", user=data.UID, limit=3)
    assert [post["post"] for post in posts["items"]] == [str(5310000000000000 + number) for number in range(3)]
    figures = await ask("analyze", user=data.UID, sample=20)
    assert (figures["n"], figures["top_posts"][0]["likes"], figures["top_tags"][0]["name"]) == (20, 190, "数码")


async def test_what_is_shown_on_the_front_page(ask):
    """随便看看首页推荐的热门微博"""
    answer = await ask("hot_timeline", limit=5)
    assert answer["count"] == 5 and all(item["author"] and item["text"] for item in answer["items"])


async def test_am_i_logged_in_and_how_many_requests_are_left(ask, state):
    """我登录微博了吗，官方接口今天还能问几次？"""
    state.member = True
    status = await ask("login_status")
    assert (status["logged_in"], status["nickname"]) == (True, data.NAME)
    assert status["official_api"] and 0 < status["official_left_today"] <= 1000
