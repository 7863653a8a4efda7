"""Tests of what the tools read, in a real Chromium on the stand-in."""

from __future__ import annotations

import pytest
from dyber_kit import Settings
from dyber_kit.serving.server import build_server

from tests.stand_in.platforms.douyin import data
from tests.stand_in.running import free_port, running


async def test_the_hot_list_has_ranks_words_and_heat(ask):
    answer = await ask("hot_list", limit=3)
    assert answer["items"][0] == {"rank": 1, "word": "热点 1", "heat": 11_999_000, "videos": 3}
    assert (answer["count"], answer["board"], answer["source"]) == (3, "hot", "browser")
    assert answer["as_of"] == "2025-11-29T16:45:00+08:00" and answer["fetched_at"].endswith("+08:00")


async def test_the_rising_board_and_the_verbose_fields_of_the_hot_list(ask, site):
    rising = await ask("hot_list", board="rising", limit=60)
    assert (rising["count"], rising["items"][1]) == (20, {"rank": 2, "word": "上升 1"})
    entry = (await ask("hot_list", limit=1, verbose=True))["items"][0]
    assert entry["url"] == f"{site.base}/hot/2400001" and entry["since"] == "2025-07-23T10:40:00+08:00"


async def test_a_video_without_comments_is_read_from_the_share_pages_call(ask, state):
    answer = await ask("get_video", video=data.VIDEO)
    assert answer["text"] == data.DESCRIPTION and answer["tags"] == ["咖啡", "手冲"]
    assert answer["author"] == {"name": "咖啡阿明", "user_ref": data.USER, "douyin_id": "amingcoffee"}
    assert (answer["likes"], answer["comments_total"], answer["collects"], answer["shares"]) == (12345, 25, 678, 90)
    assert (answer["seconds"], answer["published_at"]) == (61, "2025-07-23T10:40:00+08:00")
    assert (answer["source"], "plays" in answer, answer["comments_complete"]) == ("web", False, False)
    assert state.paths("slidesinfo") and not state.paths("/video/")


async def test_no_answer_has_an_address_to_download_the_video(ask):
    for comments in (0, 5):
        assert "douyinvod" not in str(await ask("get_video", video=data.VIDEO, comments=comments, verbose=True))


async def test_a_video_with_comments_is_read_in_the_browser(ask):
    answer = await ask("get_video", video=data.VIDEO, comments=12)
    assert (answer["source"], len(answer["comments"]), answer["comments_complete"]) == ("browser", 12, False)
    assert answer["comments"][1] == {
        "comment_id": "7400000000000000001",
        "author": "观众1",
        "content": "评论 1 [赞]",
        "likes": 99,
        "replies": 1,
        "pictures": 1,
        "date": "2025-07-23",
    }
    assert answer["comments"][0]["pinned"] is True and answer["warnings"] == []


async def test_comments_that_do_not_fit_are_left_out_and_the_text_is_not_cut(ask, make):
    with running(build_server(make(Settings(port=free_port(), max_answer_chars=3500)))) as base:
        answer = await ask("get_video", base, video=data.VIDEO, comments=50, verbose=True)
    assert (answer["comments_complete"], answer["truncated"], answer["text"]) == (False, False, data.DESCRIPTION)
    assert 1 < len(answer["comments"]) < 25


async def test_comments_are_paged_to_their_end(ask):
    first = await ask("get_comments", video=data.VIDEO, limit=20)
    rest = await ask("get_comments", video=data.VIDEO, limit=20, cursor=first["next_cursor"], verbose=True)
    assert (first["count"], first["total"], first["complete"]) == (20, 25, False)
    assert (rest["count"], rest["complete"], "next_cursor" in rest) == (5, True, False)
    assert rest["items"][-1]["content"] == "评论 24 [赞]" and rest["items"][-1]["location"] == "上海"


async def test_a_video_without_comments_has_none_and_that_is_all(ask):
    answer = await ask("get_comments", video=data.QUIET_VIDEO)
    assert (answer["items"], answer["total"], answer["complete"], answer["warnings"]) == ([], 0, True, [])


async def test_a_set_of_pictures_is_recognised(ask, site):
    answer = await ask("get_video", video=data.PICTURES, verbose=True)
    assert (answer["type"], answer["pictures"], len(answer["images"])) == ("images", 2, 2)
    assert answer["url"] == f"{site.base}/note/{data.PICTURES}" and "seconds" not in answer


async def test_a_user_has_figures_and_latest_videos(ask):
    answer = await ask("get_user", user=data.USER, videos=5)
    assert (answer["name"], answer["fans"], answer["likes"], answer["videos_total"]) == (
        "咖啡阿明", 123_456, 9_876_543, 30,
    )  # fmt: skip
    assert (answer["location"], answer["verified"], answer["videos_complete"]) == ("上海", "咖啡师", False)
    assert len(answer["videos"]) == 5 and answer["videos"][0]["pinned"] and "author" not in answer["videos"][0]


async def test_the_videos_of_a_user_are_paged_to_their_end(ask):
    first = await ask("list_user_videos", user=data.USER, limit=20)
    rest = await ask("list_user_videos", user=data.USER, limit=20, cursor=first["next_cursor"])
    listed = [video["video_id"] for video in first["items"] + rest["items"]]
    assert len(set(listed)) == 30 and rest["complete"] and "next_cursor" not in rest


@pytest.mark.usefixtures("member")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_search_lists_videos_of_every_kind_of_card(ask, state, stream):
    state.stream = stream
    answer = await ask("search", keyword="手冲", limit=15)
    assert [item["text"] for item in answer["items"]] == [f"手冲 第 {number} 个" for number in range(15)]
    assert (answer["applied"], answer["warnings"], answer["complete"]) == ({}, [], False)
    assert set(answer["items"][0]) == {"video_id", "text", "type", "author", "likes", "seconds", "date"}


@pytest.mark.usefixtures("member")
async def test_a_search_is_paged_to_its_end(ask):
    first = await ask("search", keyword="手冲", limit=30)
    rest = await ask("search", keyword="手冲", limit=30, cursor=first["next_cursor"])
    assert (first["count"], rest["count"], rest["complete"], "next_cursor" in rest) == (30, 5, True, False)


@pytest.mark.usefixtures("member")
async def test_parts_of_a_search_whose_order_changes_have_every_video_once(ask, state, make, data_dir):
    state.moves, state.total = 5, 30
    cursor, listed = "", []
    app = make(Settings(port=free_port(), data_dir=data_dir), cache_seconds=600)
    with running(build_server(app)) as base:
        while not listed or cursor:
            part = await ask("search", base, keyword="手冲", limit=10, cursor=cursor)
            cursor = part.get("next_cursor", "")
            listed += [item["video_id"] for item in part["items"]]
    assert (len(listed), len(set(listed)), part["complete"], state.opened) == (30, 30, True, 3)


@pytest.mark.usefixtures("member")
async def test_the_applied_filters_are_those_that_the_page_sent(ask, state):
    answer = await ask("search", keyword="手冲", sort="most_liked", publish_time="week", limit=3)
    assert answer["applied"] == {"sort": "most_liked", "publish_time": "week"}
    state.ignores_filters = True
    ignored = await ask("search", keyword="手冲", sort="most_liked", limit=3)
    assert ignored["applied"] == {} and "没有用上 sort=most_liked" in ignored["warnings"][0]


@pytest.mark.usefixtures("member")
async def test_a_member_finds_nothing_only_when_the_site_says_so(ask, state):
    state.case = "empty"
    answer = await ask("search", keyword="没有的词")
    assert (answer["items"], answer["complete"]) == ([], True) and "没有找到" in answer["warnings"][0]
