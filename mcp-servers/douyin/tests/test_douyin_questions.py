"""Tests that questions that users ask of Douyin are answered by the tools: each answer has the fact that was asked for.

The question of a test is its docstring, as users write it. The facts are those that the stand-in serves.
"""

# The questions are Chinese sentences, which do not end in ".".
# ruff: noqa: D400, D415

from __future__ import annotations

import pytest
from dyber_kit.serving.server import build_server

from tests.stand_in.platforms.douyin import data
from tests.stand_in.running import running


async def test_what_is_hot_now(ask):
    """抖音热榜第一是什么，热度多少？"""
    answer = await ask("hot_list", limit=1)
    assert (answer["items"][0]["word"], answer["items"][0]["heat"]) == ("热点 1", 11_999_000)
    assert answer["as_of"] == "2025-11-29T16:45:00+08:00"


async def test_what_is_rising(ask):
    """哪些热点正在上升？"""
    answer = await ask("hot_list", board="rising", limit=2)
    assert [item["word"] for item in answer["items"]] == ["上升 0", "上升 1"]


async def test_what_is_the_video_that_a_friend_shared(ask, site):
    """朋友发来一段抖音分享文字，这个视频讲什么、谁发的、多少赞？"""
    text = f"7.99 复制打开抖音，看看【咖啡阿明的作品】在家做手冲 {site.base}/s/video aAb:/ 01/02"
    answer = await ask("get_video", video=text)
    assert (answer["text"], answer["author"]["name"], answer["likes"]) == (data.DESCRIPTION, "咖啡阿明", 12345)
    assert answer["tags"] == ["咖啡", "手冲"]


async def test_is_the_link_a_video_or_a_person(ask, site):
    """这个短链接点开是视频还是主页？"""
    kinds = [(await ask("resolve_link", url=f"{site.base}/s/{code}"))["kind"] for code in ("video", "user")]
    assert kinds == ["video", "user"]


async def test_what_do_viewers_say(ask):
    """评论区在说什么，一共几条？"""
    answer = await ask("get_comments", video=data.VIDEO, limit=2)
    assert [comment["content"] for comment in answer["items"]] == ["评论 0 [赞]", "评论 1 [赞]"]
    assert (answer["items"][0]["pinned"], answer["total"]) == (True, data.COMMENT_TOTAL)


async def test_how_many_pictures_does_the_post_have(ask):
    """这个图文作品有几张图？"""
    answer = await ask("get_video", video=f"https://www.douyin.com/note/{data.PICTURES}")
    assert (answer["type"], answer["pictures"]) == ("images", 2)


async def test_who_is_this_person_and_how_many_fans(ask):
    """这个账号是谁，多少粉丝，获赞多少，在哪里？"""
    answer = await ask("get_user", user=f"https://www.douyin.com/user/{data.USER}", videos=0)
    assert (answer["name"], answer["verified"], answer["location"]) == ("咖啡阿明", "咖啡师", "上海")
    assert (answer["fans"], answer["likes"]) == (123_456, 9_876_543)


async def test_what_did_this_person_publish_lately(ask):
    """他最近的三个作品是哪几个，置顶的是哪个？"""
    answer = await ask("list_user_videos", user=data.USER, limit=3)
    assert [item.get("pinned", False) for item in answer["items"]] == [True, False, False]
    assert [item["likes"] for item in answer["items"]] == [12345, 12245, 12145]


async def test_which_of_the_videos_of_a_person_are_liked_most(ask):
    """他的作品里哪个点赞最多，常用什么话题？"""
    answer = await ask("analyze", user=data.USER, sample=12)
    assert (answer["n"], answer["top_videos"][0]["likes"]) == (12, 12345)
    assert {tag["tag"] for tag in answer["top_tags"]} == {"咖啡", "手冲"}


@pytest.mark.usefixtures("member")
async def test_which_videos_are_there_on_a_topic(ask):
    """找最近一周点赞最多的手冲视频"""
    answer = await ask("search", keyword="手冲", sort="most_liked", publish_time="week", limit=2)
    assert answer["applied"] == {"sort": "most_liked", "publish_time": "week"}
    assert [(item["text"], item["author"]) for item in answer["items"]] == [
        ("手冲 第 0 个", "咖啡阿明"),
        ("手冲 第 1 个", "咖啡阿明"),
    ]


async def test_am_i_logged_in_and_how_do_i_log_in(ask, make):
    """我登录抖音了吗，没有的话怎么登录？"""
    with running(build_server(make())) as base:
        answer = await ask("login_status", base)
    assert answer["logged_in"] is False and "douyin_login_qrcode" in answer["next_step"]
