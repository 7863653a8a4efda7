"""Tests of reading the stand-in through the whole service, in a real Chromium."""

from __future__ import annotations

import pytest

from tests.stand_in.platforms.bilibili.data import AID, BVID, COMMENTS, MID, SEARCHED, UPLOADS, bvid


async def test_the_login_status_tells_members_from_guests(ask):
    guest = await ask("login_status")
    member = await ask("login_status", account="member")
    assert (guest["logged_in"], "bilibili_login_qrcode" in guest["next_step"]) == (False, True)
    assert (member["logged_in"], member["nickname"], member["mid"]) == (True, "测试用户", "77")


async def test_a_search_returns_short_results_in_the_sites_order(ask, site):
    result = await ask("search_content", keyword=" 手冲  咖啡 ", limit=3)
    assert site.app.state.searched == [{"keyword": "手冲 咖啡"}]
    assert (result["count"], result["total"], result["complete"], result["source"]) == (3, SEARCHED, False, "browser")
    assert result["items"][1] == {
        "bvid": bvid(1),
        "title": "第 1 个 咖啡 & 茶",
        "author": "UP1",
        "views": 99990,
        "date": "2026-11-18",
        "duration": "1:05",
    }
    assert (result["applied"], result["warnings"]) == ({"type": "video", "order": "relevance"}, [])


async def test_results_that_come_by_a_call_are_read_as_well(ask, site):
    site.app.state.case = "by_call"
    result = await ask("search_content", keyword="咖啡", limit=2, verbose=True)
    first = result["items"][0]
    assert (first["url"], first["mid"], first["tags"]) == (f"{site.base}/video/{bvid(0)}", "900", ["咖啡", "手冲"])


async def test_the_cursor_goes_on_to_the_end_of_the_results(ask):
    seen, cursor = [], ""
    while True:
        result = await ask("search_content", keyword="咖啡", limit=50, cursor=cursor)
        seen += [item["bvid"] for item in result["items"]]
        cursor = result.get("next_cursor", "")
        if not cursor:
            break
    assert seen == [bvid(number) for number in range(SEARCHED)] and result["complete"]


async def test_the_order_is_asked_of_the_site_and_its_count_is_shown(ask, site):
    result = await ask("search_content", keyword="咖啡", order="most_danmaku", limit=1)
    assert site.app.state.searched == [{"keyword": "咖啡", "order": "dm"}]
    assert result["items"][0]["danmaku"] == 30


async def test_users_and_articles_are_found(ask):
    users = await ask("search_content", keyword="咖啡", type="user", order="newest", limit=1)
    articles = await ask("search_content", keyword="咖啡", type="article", limit=1, verbose=True)
    assert users["items"][0]["name"] == "咖啡师0" and users["items"][0]["fans"] == 12_000
    assert "order" in users["warnings"][0]
    assert (articles["items"][0]["article_id"], articles["items"][0]["title"]) == ("cv7000", "咖啡入门")


@pytest.mark.parametrize(("kind", "most"), [("popular", 59), ("ranking", 100), ("hot_words", 30)])
async def test_a_hot_list_is_read_to_its_end(ask, kind, most):
    seen, cursor = [], ""
    while True:
        result = await ask("list_hot", kind=kind, limit=50, cursor=cursor)
        seen += result["items"]
        cursor = result.get("next_cursor", "")
        if not cursor:
            break
    assert len(seen) == most and result["complete"]
    assert len({item["rank"] for item in seen}) == most
    assert result["source"] == ("web" if kind == "hot_words" else "browser")


async def test_a_hot_list_in_another_order_repeats_and_skips_nothing(serve, site, tmp_path, ask):
    with serve(tmp_path, cache_seconds=600) as base:
        first = await ask("list_hot", base, limit=20)
        site.app.state.case = "other_order"
        second = await ask("list_hot", base, limit=20, cursor=first["next_cursor"])
        again = await ask("list_hot", base, limit=20)
    seen = [item["bvid"] for item in first["items"] + second["items"]]
    assert seen[:20] == [bvid(number) for number in range(20)] == [item["bvid"] for item in again["items"]]
    # The ten videos that came in, then those that follow in the list.
    assert seen[20:] == [bvid(number) for number in (*range(90, 100), *range(20, 30))]


async def test_hot_entries_name_their_reason_or_their_heat(ask):
    video = (await ask("list_hot", limit=1))["items"][0]
    word = (await ask("list_hot", kind="hot_words", limit=1))["items"][0]
    assert (video["title"], video["reason"], video["duration"]) == ("热门 0", "百万播放", "1:02:05")
    assert word == {"rank": 1, "keyword": "热搜1", "heat": 899_999}


async def test_a_video_is_read_with_its_first_comments(ask):
    video = await ask("get_video", video=BVID, comments=22, max_chars=8, account="member")
    assert (video["title"], video["description"], video["truncated"]) == ("手冲咖啡 <入门>", "一步一步\n做一杯", True)
    assert (video["author"], video["tags"]) == ({"name": "咖啡师", "mid": "900", "fans": 12_345}, ["咖啡", "手冲"])
    assert (video["views"], video["likes"], video["comments_total"]) == (1_234_567, 44, COMMENTS)
    assert [part["title"] for part in video["parts"]] == ["第1节", "第2节"]
    comments = video["comments"]
    assert len(comments) == 22 and not video["comments_complete"] and video["warnings"] == []
    assert (comments[0]["pinned"], comments[1]["content"]) == (True, "评论 0 <b>[doge]</b>")
    assert len(comments[1]["replies"]) == 2 and comments[1]["reply_count"] == 5
    assert "location" not in comments[1] and comments[1]["date"] == "2026-11-18"


async def test_comments_that_do_not_fit_are_named_and_no_text_counts_as_cut(ask, site):
    site.app.state.case = "long"
    video = await ask("get_video", video=BVID, comments=50, account="member")
    assert 15 < len(video["comments"]) < 24 and all(len(each["content"]) == 1000 for each in video["comments"][1:])
    assert (video["truncated"], video["comments_complete"]) == (False, False)
    assert f"前 {len(video['comments'])} 条评论" in video["warnings"][0]


async def test_guests_are_told_that_they_see_few_comments(ask):
    video = await ask("get_video", video=BVID, comments=10)
    assert len(video["comments"]) == 4 and "没有登录" in video["warnings"][0]


async def test_comments_kept_for_a_guest_are_read_again_after_the_login(serve, site, tmp_path, ask, log_in):
    with serve(tmp_path, cache_seconds=600) as base:
        guest = await ask("get_comments", base, video=BVID, account="scanning")
        assert (len(guest["items"]), "没有登录" in guest["warnings"][0]) == (4, True)
        await ask("get_video", base, video=BVID, comments=10, account="scanning")
        log_in(tmp_path, "scanning")
        member = await ask("get_comments", base, video=BVID, account="scanning")
        video = await ask("get_video", base, video=BVID, comments=10, account="scanning")
    assert (len(member["items"]), len(video["comments"])) == (20, 10)
    assert [member["source"], video["source"]] == ["browser", "browser"]
    assert (member["warnings"], video["warnings"]) == ([], [])


async def test_comments_are_read_page_by_page_to_the_end(ask):
    seen, cursor = [], ""
    while True:
        result = await ask("get_comments", video=f"av{AID}", limit=20, cursor=cursor, verbose=True, account="member")
        seen += result["items"]
        cursor = result.get("next_cursor", "")
        if not cursor:
            break
    assert len({comment["comment_id"] for comment in seen}) == len(seen) == COMMENTS + 1
    assert (result["bvid"], result["total"]) == (BVID, COMMENTS)
    assert result["complete"] and seen[1]["location"] == "上海" and seen[1]["date"].endswith("+08:00")


async def test_a_user_is_read_with_videos_page_by_page(ask, site):
    first = await ask("get_user", user=f"https://space.bilibili.com/{MID}?from=search", videos=50)
    second = await ask("get_user", user=MID, videos=50, cursor=first["next_cursor"])
    assert (first["name"], first["fans"], first["following"], first["level"]) == ("咖啡师", 12_345, 42, 6)
    assert (first["videos_total"], len(first["videos"]) + len(second["videos"])) == (UPLOADS, UPLOADS)
    assert second["complete"] and "next_cursor" not in second and "author" not in first["videos"][0]
    assert site.app.state.opened == [f"/{MID}/upload/video"] * 2


async def test_numbers_of_fans_that_are_missing_are_named(ask, site):
    site.app.state.case = "no_numbers"
    user = await ask("get_user", user=MID, videos=1)
    assert (user["name"], "fans" in user) == ("咖啡师", False) and "粉丝数" in user["warnings"][0]


async def test_a_user_without_videos_is_still_a_user(ask, site):
    site.app.state.case = "empty"
    user = await ask("get_user", user=MID)
    assert (user["name"], user["videos"], user["complete"]) == ("咖啡师", [], True) and user["warnings"]
