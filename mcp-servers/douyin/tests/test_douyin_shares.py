"""Tests of share links: short links, and the shared video in both generations of the share pages."""

from __future__ import annotations

import json
import time

import pytest
from dyber_kit import Settings
from dyber_kit.serving.server import build_server

from tests.stand_in.platforms.douyin import data
from tests.stand_in.running import free_port, running


def share_text(site, code: str) -> str:
    return f"7.48 复制打开抖音，看看【咖啡阿明的作品】 {site.base}/s/{code} 05/12 xKj:/"


async def test_a_share_text_leads_to_the_video_without_a_page(ask, state, site):
    answer = await ask("get_video", video=share_text(site, "video"))
    assert (answer["video_id"], answer["source"]) == (data.VIDEO, "web")
    assert [request.partition("?")[0] for request in state.requests] == ["/s/video", "/web/api/v2/aweme/slidesinfo/"]


async def test_no_request_for_a_shared_video_is_signed(ask, state, site):
    await ask("get_video", video=share_text(site, "video"))
    assert state.paths("slidesinfo") == [
        f"/web/api/v2/aweme/slidesinfo/?reflow_source=reflow_page&aweme_ids=%5B{data.VIDEO}%5D"
    ]


@pytest.mark.parametrize("code", ["note", "slides"])
async def test_a_shared_set_of_pictures_is_asked_for_as_such(ask, state, site, code):
    answer = await ask("get_video", video=share_text(site, code))
    assert (answer["type"], answer["pictures"], answer["source"]) == ("images", 2, "web")
    assert len(state.paths("slidesinfo")) == 1 and "request_source=200" in state.paths("slidesinfo")[0]


async def test_a_set_of_pictures_is_also_read_when_its_kind_is_not_known(ask, state):
    answer = await ask("get_video", video=data.PICTURES)
    assert (answer["type"], len(state.paths("slidesinfo"))) == ("images", 2)


@pytest.mark.parametrize(("code", "video_id"), [("video", data.VIDEO), ("note", data.PICTURES)])
async def test_share_pages_with_the_data_in_them_are_read_too(ask, state, site, code, video_id):
    state.share = "page"
    answer = await ask("get_video", video=share_text(site, code))
    assert (answer["video_id"], answer["source"], answer["likes"]) == (video_id, "web", 12345)
    assert state.paths(f"/share/{code}/{video_id}/") and not state.paths("/aweme/v1/web")


async def test_the_browser_reads_what_the_share_pages_do_not_have(ask, state, site):
    state.share = "nowhere"
    answer = await ask("get_video", video=share_text(site, "video"))
    assert (answer["video_id"], answer["source"]) == (data.VIDEO, "browser")


async def test_the_share_pages_have_a_video_when_its_page_asks_for_a_login(ask, state):
    state.case = "login wall"
    answer = await ask("get_video", video=data.VIDEO, comments=5)
    assert (answer["source"], answer["likes"], answer["comments"]) == ("web", 12345, [])
    assert "评论没有读到：LOGIN_REQUIRED" in answer["warnings"][0]


@pytest.mark.parametrize(
    ("code", "kind", "ref"),
    [
        ("video", "video", data.VIDEO),
        ("hop", "video", data.VIDEO),
        ("modal", "video", data.VIDEO),
        ("user", "user", data.USER),
    ],
)
async def test_a_short_link_is_resolved_without_opening_a_page(ask, state, site, code, kind, ref):
    answer = await ask("resolve_link", url=share_text(site, code))
    assert (answer["kind"], answer["ref"], answer["source"]) == (kind, ref, "web")
    assert all(request.startswith("/s/") for request in state.requests)


async def test_a_share_text_of_a_user_leads_to_the_profile(ask, site):
    answer = await ask("get_user", user=share_text(site, "user"), videos=0)
    assert (answer["user_ref"], answer["videos"], answer["warnings"]) == (data.USER, [], [])


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        ("gone", "NOT_FOUND", "短链接已失效"),
        ("loop", "NOT_FOUND", "跳转次数过多"),
        ("away", "INVALID_ARGUMENT", "链接不属于抖音"),
        ("user", "INVALID_ARGUMENT", "链接不是视频或图文"),
    ],
)
async def test_a_short_link_that_leads_elsewhere_is_refused(refused, site, code, error, words):
    text = await refused("get_video", video=share_text(site, code))
    assert text.startswith(f"{error}：") and words in text


@pytest.mark.parametrize("case", ["limited"])
async def test_a_limit_of_the_share_pages_stops_at_once(refused, state, case):
    state.case = case
    assert (await refused("get_video", video=data.VIDEO)).startswith("RATE_LIMITED：")
    assert len(state.requests) == 1


async def test_odd_shapes_of_a_shared_video_are_read(ask, state):
    state.case = "odd"
    answer = await ask("get_video", video=data.VIDEO, max_chars=50)
    assert answer["text"].startswith("<b>不是标签</b> 👨‍👩‍👧长") and answer["truncated"] and len(answer["text"]) == 50
    assert (answer["likes"], answer["comments_total"], answer["lower_bounds"]) == (17_000, 100_000, ["comments_total"])
    assert answer["published_at"] == "2025-07-23T10:40:00+08:00" and answer["author"]["name"] == ""
    assert {"seconds", "shares", "collects", "music"}.isdisjoint(answer)


async def test_a_shared_video_is_kept_for_the_next_caller(ask, state, make):
    with running(build_server(make(cache_seconds=600))) as base:
        first = await ask("get_video", base, video=data.VIDEO)
        again = await ask("get_video", base, video=f"https://www.douyin.com/video/{data.VIDEO}")
    assert (first["source"], again["source"], again["fetched_at"]) == ("web", "cache", first["fetched_at"])
    assert len(state.requests) == 1


@pytest.mark.parametrize("share", ["down", "away"])
async def test_share_pages_without_an_answer_do_not_end_a_pause(refused, state, make, tmp_path, share):
    pause = tmp_path / "breaker-douyin.json"
    cause = {"code": "CAPTCHA_REQUIRED", "message": "captcha", "next_step": "wait", "whole_account": False}
    pause.write_text(json.dumps(cause | {"pause": 900, "until": time.time() - 1}), encoding="utf-8")
    state.share, state.case = share, "broken"
    places = {"api_url": f"http://127.0.0.1:{free_port()}"} if share == "away" else {}
    with running(build_server(make(Settings(port=free_port(), data_dir=tmp_path), **places))) as base:
        text = await refused("get_video", base, video=data.VIDEO)
    assert text.startswith("UPSTREAM_UNREACHABLE：") and pause.exists()
    assert len(state.paths("slidesinfo")) == (2 if share == "down" else 0)


async def test_the_browser_reads_a_video_when_the_share_pages_fail(ask, state):
    state.share = "down"
    assert (await ask("get_video", video=data.VIDEO))["source"] == "browser"


async def test_a_failure_behind_a_short_link_is_not_an_invalid_link(refused, site):
    text = await refused("resolve_link", url=share_text(site, "failing"))
    assert text.startswith("UPSTREAM_UNREACHABLE：")


async def test_a_limit_for_short_links_begins_a_pause_in_which_none_is_followed(refused, state, site, make):
    state.case = "limited"
    with running(build_server(make(pause_seconds=900))) as base:
        first = await refused("resolve_link", base, url=share_text(site, "video"))
        state.reset()
        again = await refused("resolve_link", base, url=share_text(site, "user"))
    assert first.startswith("RATE_LIMITED：") and "已暂停访问平台" in first
    assert again.startswith("RATE_LIMITED：") and state.requests == []


async def test_a_short_link_counts_as_a_visit_and_is_followed_once(ask, refused, state, site, make):
    with running(build_server(make(daily_pages=1, cache_seconds=600))) as base:
        first = await ask("resolve_link", base, url=share_text(site, "video"))
        again = await ask("resolve_link", base, url=f"看看 {site.base}/s/video 吧")
        text = await refused("resolve_link", base, url=share_text(site, "user"))
    assert (first["source"], again["source"], again["ref"]) == ("web", "cache", first["ref"])
    assert text.startswith("RATE_LIMITED：") and state.requests == ["/s/video"]
