"""Tests of what the tools read from the site, in a real Chromium on the stand-in."""

from __future__ import annotations

import pytest

from tests.stand_in.platforms.weibo import data


async def test_a_guest_reads_a_post_with_its_whole_text_and_its_comments(ask, state):
    post = await ask("get_post", post=f"https://weibo.com/{data.UID}/{data.BIDS[data.LONG]}", comments=5)
    assert (post["post"], post["author"], post["text"], post["text_truncated"]) == (
        data.LONG, data.NAME, data.LONG_TEXT, False,
    )  # fmt: skip
    assert (post["likes"], post["reposts"], post["comments_total"]) == (340, 12, 45)
    assert post["created_at"] == "2026-11-29T10:00:21+08:00"
    assert post["picture_urls"] == ["https://wx4.sinaimg.cn/orj960/p2.jpg", "https://wx4.sinaimg.cn/orj960/p1.jpg"]
    assert (post["region"], post["tags"], post["edited"], post["verified"]) == ("北京", ["人工智能"], True, "数码博主")
    assert [comment["text"] for comment in post["comments"]] == [f"评论 {number} [doge]" for number in range(5)]
    assert post["comments"][0]["replies"][0]["by_author"]
    assert (post["source"], post["warnings"], post["comments_complete"]) == ("browser", [], False)


async def test_login_status_tells_a_guest_how_to_log_in(ask):
    status = await ask("login_status")
    assert (status["logged_in"], status["risk"]) == (False, "ok")
    assert "weibo_login_qrcode" in status["next_step"]
    # The service counts the requests of all tests.
    assert status["official_api"] and 0 < status["official_left_today"] <= 1000


async def test_a_member_searches_posts_page_by_page(ask, state):
    state.member = True
    first = await ask("search_posts", keyword="手机", limit=12, verbose=True)
    assert (first["count"], first["complete"], first["applied"]) == (12, False, {"sort": "general"})
    item = first["items"][0]
    assert (item["author"], item["text"], item["truncated"]) == ("作者0", "#手机# 结果 0 电池很好[doge]", True)
    assert (item["likes"], item["comments"], item["lower_bounds"]) == (1_000_000, 17_000, ["likes"])
    assert (item["tags"], item["region"], item["device"], item["pictures"]) == (["手机"], "广东", "iPhone", 1)
    rest = await ask("search_posts", keyword="手机", limit=20, verbose=True, cursor=first["next_cursor"])
    assert (rest["count"], rest["complete"]) == (13, True)
    found = [item["post"] for item in [*first["items"], *rest["items"]]]
    assert found == [str(5320000000000000 + number) for number in range(25)]


async def test_results_that_two_pages_have_in_common_are_shown_once(ask, state):
    state.member, state.overlap = True, 3
    found = await ask("search_posts", keyword="手机", limit=25)
    assert [item["post"] for item in found["items"]] == [str(5320000000000000 + number) for number in range(25)]
    assert (await ask("analyze", keyword="手机", sample=25))["n"] == 25
    first = await ask("search_posts", keyword="手机", limit=12)
    rest = await ask("search_posts", keyword="手机", limit=25, cursor=first["next_cursor"])
    assert rest["items"][0]["post"] == "5320000000000012"


@pytest.mark.parametrize("lazy", [False, True])
async def test_a_page_that_makes_no_calls_is_told_to_make_them(ask, state, lazy):
    state.lazy = lazy
    post = await ask("get_post", post=data.VIDEO, comments=3)
    assert (post["text"], len(post["comments"])) == ("看视频 http://t.cn/A6abcdef [doge] 👩‍👩‍👧", 3)
    assert post["media"] == {"kind": "video", "title": "测试视频", "url": "http://t.cn/A6abcdef", "seconds": 2107}
    assert len(state.asked("/ajax/statuses/show")) == 1


async def test_a_page_is_opened_once_and_its_own_answers_are_used(ask, state):
    await ask("get_post", post=data.VIDEO, comments=20)
    assert len(state.asked("/detail/")) == 1 and len(state.asked("buildComments")) == 1


async def test_a_post_can_be_read_without_comments(ask):
    post = await ask("get_post", post=data.REPOST, comments=0, max_chars=100)
    assert (post["text"], post["comments"]) == ("转发微博", [])
    assert post["repost_of"]["author"] == "原作者"


async def test_a_short_link_is_followed(ask, sites):
    post = await ask("get_post", post=f"分享 {sites.web}/t.cn/A6abcdef 复制", comments=0)
    assert post["post"] == data.LONG


async def test_a_short_link_is_followed_once(serve, ask, sites, state):
    with serve(cache_seconds=600.0) as base:
        for comments in (0, 1):
            await ask("get_post", at=base, post=f"{sites.web}/t.cn/A6abcdef", comments=comments)
    assert len(state.asked("/t.cn/")) == 1


async def test_comments_are_read_page_by_page_to_the_end(ask, state):
    found, cursor = [], ""
    while True:
        part = await ask("get_comments", post=data.VIDEO, limit=17, cursor=cursor)
        found += [comment["comment_id"] for comment in part["items"]]
        cursor = part.get("next_cursor", "")
        if not cursor:
            break
    assert found == [str(5312400000000000 + number) for number in range(data.COMMENTS_TOTAL)]
    assert (part["complete"], part["total"], part["applied"]) == (True, 45, {"sort": "hot"})


async def test_comments_are_read_by_time_and_replies_to_one_of_them(ask, state):
    await ask("get_comments", post=data.VIDEO, sort="time", limit=1)
    assert any("flow=1" in request for request in state.asked("buildComments"))
    replies = await ask("get_comments", post=data.VIDEO, reply_to="5312400000000000", verbose=True)
    assert [reply["text"] for reply in replies["items"]] == ["评论 900 [doge]", "评论 901 [doge]"]
    assert (replies["complete"], replies["items"][0]["region"]) == (True, "上海")
    assert any("fetch_level=1" in request and "id=5312400000000000" in request for request in state.requests)


async def test_a_cursor_of_another_list_is_refused(ask, refusal):
    part = await ask("get_comments", post=data.VIDEO, limit=5)
    text = await refusal("get_comments", post=data.VIDEO, limit=5, sort="time", cursor=part["next_cursor"])
    assert text.startswith("INVALID_ARGUMENT：")


@pytest.mark.parametrize("user", [data.UID, data.NAME, f"https://weibo.com/{data.CUSTOM}"])
async def test_a_profile_is_read_by_number_nickname_and_address(ask, user):
    found = await ask("get_user", user=user)
    assert (found["user_id"], found["name"], found["description"]) == (data.UID, data.NAME, "写点东西 真的")
    assert (found["followers"], found["following"], found["posts"]) == (26_712_000, 321, 5246)
    assert (found["gender"], found["verified"]) == ("male", "数码博主")


async def test_a_member_reads_own_posts_page_by_page(ask, state):
    state.member = True
    first = await ask("user_posts", user="me", limit=15, verbose=True)
    rest = await ask("user_posts", user=data.UID, limit=15, cursor=first["next_cursor"])
    found = [post["post"] for post in [*first["items"], *rest["items"]]]
    assert found == [str(5310000000000000 + number) for number in range(25)]
    assert (first["items"][0]["pinned"], rest["complete"], first["warnings"]) == (True, True, [])


async def test_a_guest_gets_the_posts_with_a_video_and_a_warning(ask):
    posts = await ask("user_posts", user=data.NAME)
    assert [post["post"] for post in posts["items"]] == [data.VIDEO]
    assert (posts["warnings"], posts["complete"]) == (["没有登录：微博只给访客看带视频的帖子"], True)


async def test_a_login_has_an_effect_on_what_guests_were_shown(serve, ask, state):
    with serve(cache_seconds=600.0) as base:
        guest = await ask("user_posts", at=base, user=data.UID)
        state.member = True
        member = await ask("user_posts", at=base, user=data.UID)
        again = await ask("user_posts", at=base, user=data.UID)
    assert (guest["count"], member["count"], again["count"]) == (1, 10, 10)
    assert (member["warnings"], again["source"]) == ([], "cache")


async def test_what_a_user_hides_is_a_warning(ask, state):
    state.member, state.case = True, "half_year"
    posts = await ask("user_posts", user=data.UID)
    assert (posts["items"], posts["warnings"]) == ([], ["微博提示：作者只展示近半年的微博"])


async def test_what_is_popular_is_read_over_several_pages(ask):
    posts = await ask("hot_timeline", limit=15)
    assert (posts["count"], posts["complete"], "next_cursor" in posts) == (15, False, False)


@pytest.mark.parametrize("case", ["empty", "empty_card"])
async def test_a_search_without_results_is_empty_and_says_so(ask, state, case):
    state.member, state.case = True, case
    found = await ask("search_posts", keyword="没有的词")
    assert (found["items"], found["complete"], found["warnings"]) == ([], True, ["微博没有找到这个词的帖子"])


async def test_the_order_of_results_is_the_sites(ask, state):
    state.member = True
    await ask("search_posts", keyword="a&b=c#", sort="latest", limit=1)
    page = next(request for request in state.asked("/search?") if request.startswith("/search?"))
    assert "100103type%3D61%26q%3Da%26b%3Dc%23" in page


async def test_odd_shapes_of_a_post_are_read(ask, state):
    state.case = "odd"
    post = await ask("get_post", post=data.LONG, comments=0)
    assert (post["text"], post["media"], post["picture_urls"]) == (
        "只有&文字",
        {"kind": "article", "title": "文章"},
        [],
    )
    assert (post["comments_total"], post["lower_bounds"], "likes" in post) == (12_000, ["comments"], False)
    assert post["repost_of"]["text"] == "抱歉，作者已删除"
    user = await ask("get_user", user=data.UID)
    assert (user["followers"], user["lower_bounds"]) == (1_000_000, ["followers"])


async def test_figures_about_posts_have_caveats(ask, state):
    state.member = True
    figures = await ask("analyze", user=data.UID, sample=20)
    assert (figures["n"], figures["engagement"]["likes"]["max"]) == (20, 190)
    assert figures["top_posts"][0]["likes"] == 190 and figures["top_authors"] == []
    assert figures["top_tags"][0] == {"name": "数码", "count": 20}
    assert {"屏幕", "电池"} <= {word["name"] for word in figures["words"]}
    assert figures["posting"]["n"] == 20 and "20 条" in figures["caveats"][0]
    found = await ask("analyze", keyword="手机", sample=25)
    assert found["n"] == 25 and "手机" not in {word["name"] for word in found["words"]}
    assert len(found["caveats"]) == 4 and found["top_authors"][0]["posts"] == 9


async def test_an_analysis_needs_a_keyword_or_a_user(refusal):
    for arguments in ({}, {"keyword": "手机", "user": data.UID}):
        assert "keyword 和 user" in await refusal("analyze", **arguments)
