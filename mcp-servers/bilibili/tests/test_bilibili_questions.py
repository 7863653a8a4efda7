"""Tests that questions that users ask of Bilibili are answered by the tools: each answer has the fact that was asked for.

The question of a test is its docstring, as users write it. The facts are those that the stand-in serves.
"""

# The questions are Chinese sentences, which do not end in ".".
# ruff: noqa: D400, D415

from __future__ import annotations

from tests.stand_in.platforms.bilibili.data import AID, BVID, COMMENTS, MID, UPLOADS, bvid

MEMBER = {"account": "member"}


async def test_what_is_popular_now(ask):
    """B站现在什么视频最火，为什么上榜？"""
    answer = await ask("list_hot", limit=2)
    assert [(item["rank"], item["title"], item["reason"]) for item in answer["items"]] == [
        (1, "热门 0", "百万播放"),
        (2, "热门 1", "百万播放"),
    ]


async def test_what_do_people_search_for(ask):
    """大家今天在 B站搜什么？"""
    answer = await ask("list_hot", kind="hot_words", limit=3)
    assert [(item["keyword"], item["heat"]) for item in answer["items"]] == [
        ("热搜1", 899_999),
        ("热搜2", 899_998),
        ("热搜3", 899_997),
    ]


async def test_which_tutorials_are_played_most_and_how_long_are_they(ask, site):
    """想学手冲咖啡，播放最多的教程有哪些，要看多久？"""
    answer = await ask("search_content", keyword="手冲咖啡 教程", order="most_viewed", limit=3)
    assert site.app.state.searched == [{"keyword": "手冲咖啡 教程", "order": "click"}]
    assert [(item["bvid"], item["views"], item["duration"]) for item in answer["items"]] == [
        (bvid(0), 100_000, "0:05"),
        (bvid(1), 99_990, "1:05"),
        (bvid(2), 99_980, "2:05"),
    ]


async def test_what_is_the_video_that_a_friend_shared_and_who_made_it(ask, site):
    """朋友发来【手冲咖啡-哔哩哔哩】的链接，这个视频讲什么、谁做的、反响怎样？"""
    answer = await ask(
        "get_video", video=f"【手冲咖啡-哔哩哔哩】 {site.base}/video/{BVID}?share_source=copy", comments=0
    )
    assert (answer["title"], answer["author"]["name"]) == ("手冲咖啡 <入门>", "咖啡师")
    assert (answer["views"], answer["likes"], answer["comments_total"]) == (1_234_567, 44, 88)
    assert answer["description"].startswith("一步一步\n做一杯咖啡")


async def test_when_does_the_video_speak_of_a_word(ask, site):
    """视频里几分几秒讲到闷蒸，给我能直接跳过去的链接"""
    answer = await ask("get_subtitle", video=BVID, query="闷蒸", **MEMBER)
    assert answer["text"] == "[0:17] 现在 闷蒸三十秒"
    assert answer["link"] == f"{site.base}/video/{BVID}?t=17"


async def test_what_is_said_in_the_second_part(ask):
    """这个视频分几节，第二节从哪句话开始？"""
    video = await ask("get_video", video=BVID, comments=0)
    assert [part["title"] for part in video["parts"]] == ["第1节", "第2节"]
    subtitle = await ask("get_subtitle", video=video["bvid"], page=2, max_chars=200, **MEMBER)
    assert (subtitle["title"], subtitle["text"].splitlines()[0]) == ("第2节", "[0:00] 第 0 句 水温")


async def test_what_do_viewers_say(ask):
    """观众怎么评价 av170001，置顶的是哪条？"""
    answer = await ask("get_comments", video=f"av{AID}", limit=3, **MEMBER)
    assert answer["items"][0]["pinned"] and answer["items"][0]["content"].startswith("评论 900")
    assert (answer["items"][1]["author"], answer["items"][1]["likes"], answer["total"]) == ("观众0", 100, COMMENTS)


async def test_who_is_this_uploader_and_what_is_new(ask):
    """搜一下叫咖啡师的 UP 主：多少粉丝，最近投了什么？"""
    users = await ask("search_content", keyword="咖啡师", type="user", limit=1)
    assert (users["items"][0]["name"], users["items"][0]["fans"]) == ("咖啡师0", 12_000)
    answer = await ask("get_user", user=f"https://space.bilibili.com/{MID}", videos=2)
    assert (answer["name"], answer["fans"], answer["videos_total"]) == ("咖啡师", 12_345, UPLOADS)
    assert [video["title"] for video in answer["videos"]] == ["投稿 0", "投稿 1"]


async def test_what_kind_of_videos_on_a_topic_are_liked(ask):
    """咖啡视频里哪个播放最多，大家常打什么标签？"""
    answer = await ask("analyze_videos", keyword="咖啡", sample=40)
    assert (answer["n"], answer["top_videos"][0]["bvid"], answer["top_videos"][0]["views"]) == (40, bvid(0), 100_000)
    assert {tag["tag"] for tag in answer["top_tags"]} == {"咖啡", "手冲"} and answer["caveats"]


async def test_is_there_something_to_read(ask):
    """有没有讲咖啡入门的专栏文章？"""
    answer = await ask("search_content", keyword="咖啡入门", type="article", limit=1, verbose=True)
    assert (answer["items"][0]["title"], answer["items"][0]["article_id"]) == ("咖啡入门", "cv7000")


async def test_am_i_logged_in_and_how_do_i_log_in(ask):
    """我的 B站账号登录了吗，没登录的那个怎么办？"""
    member, guest = await ask("login_status", **MEMBER), await ask("login_status", account="guest")
    assert (member["logged_in"], member["nickname"]) == (True, "测试用户")
    assert guest["logged_in"] is False and "bilibili_login_qrcode" in guest["next_step"]
