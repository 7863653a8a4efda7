"""Tests of ids and links in every form in which people paste them."""

from __future__ import annotations

import pytest
from dyber_kit import ErrorCode, ServiceError

from tests.stand_in.platforms.bilibili.data import AID, BVID, MID

from bilibili_server.config import SiteSettings
from bilibili_server.model.references import (
    VideoReference,
    first_link,
    parse_user,
    parse_video,
    search_url,
    short_link_form,
    user_url,
    video_url,
)

SITE = SiteSettings()
ELSEWHERE = "https://bilibili.com.example.com/video/BV1Stand1n11"


@pytest.mark.parametrize(
    ("given", "video_id", "page"),
    [
        (BVID, BVID, 1),
        (f"  bv{BVID[2:]} ", BVID, 1),
        ("av170001", "av170001", 1),
        ("AV170001", "av170001", 1),
        (f"https://www.bilibili.com/video/{BVID}/?p=3&vd_source=1#reply2", BVID, 3),
        (f"http://m.bilibili.com/video/{BVID}?p=0", BVID, 1),
        (f"www.bilibili.com/video/{BVID}", BVID, 1),
        (f"bilibili.com/video/{BVID}", BVID, 1),
        ("https://www.bilibili.com/video/av170001", "av170001", 1),
        (f"https://www.bilibili.com/s/video/{BVID}", BVID, 1),
        (f"https://www.bilibili.com/list/watchlater?oid=1&bvid={BVID}", BVID, 1),
        (f"https://player.bilibili.com/player.html?bvid={BVID}&p=2", BVID, 2),
        ("https://player.bilibili.com/player.html?aid=170001", "av170001", 1),
        ("bilibili://video/170001?from=1", "av170001", 1),
        (f"bilibili://video/{BVID}", BVID, 1),
        (f"https://b23.tv/{BVID}", BVID, 1),
        (f"【手冲咖啡-哔哩哔哩】 https://www.bilibili.com/video/{BVID}?share_source=copy_web，快看", BVID, 1),
    ],
)
def test_a_video_is_read_from_any_form(given, video_id, page):
    assert parse_video(first_link(given), SITE) == VideoReference(video_id, page)


@pytest.mark.parametrize(
    "given",
    [
        MID, f"UID:{MID}", f"uid {MID}", f"https://space.bilibili.com/{MID}", f"space.bilibili.com/{MID}/upload/video",
        f"https://m.bilibili.com/space/{MID}?from=1", f"bilibili://space/{MID}", f"https://www.bilibili.com/space/{MID}",
    ],
)  # fmt: skip
def test_a_user_is_read_from_any_form(given):
    assert parse_user(first_link(given), SITE) == MID


@pytest.mark.parametrize(
    "given",
    [
        "", "手冲咖啡", "BV123", ELSEWHERE, f"https://example.com/video/{BVID}", "https://www.bilibili.com/",
        "https://www.bilibili.com/bangumi/play/ep1", f"ftp://www.bilibili.com/video/{BVID}", "http://[::1",
        f"https://www.bilibili.com:8443/video/{BVID}", f"https://www.bilibili.com@example.com/video/{BVID}",
        "bilibili://live/1",
    ],
)  # fmt: skip
def test_everything_else_is_refused_as_a_video(given):
    with pytest.raises(ServiceError) as caught:
        parse_video(first_link(given), SITE)
    assert caught.value.code is ErrorCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "given",
    ["咖啡师", f"https://www.bilibili.com/video/{BVID}", "https://space.bilibili.com/", "https://example.com/1"],
)
def test_everything_else_is_refused_as_a_user(given):
    with pytest.raises(ServiceError) as caught:
        parse_user(first_link(given), SITE)
    assert caught.value.code is ErrorCode.INVALID_ARGUMENT


def test_only_share_links_are_followed():
    form = short_link_form(SITE)
    assert form.matches("https://b23.tv/abc1234") and form.matches("http://bili2233.cn/abc1234")
    others = [f"https://b23.tv/{BVID}", "https://b23.tv/av170001", "https://example.com/abc1234", "https://b23.tv/a/b"]
    assert [link for link in others if form.matches(link)] == []
    assert not form.matches("https://www.bilibili.com/abc1234")


def test_each_part_of_the_site_has_its_address():
    assert search_url("a b&c", "video", "click", 2, SITE) == (
        "https://search.bilibili.com/video?keyword=a%20b%26c&order=click&page=2"
    )
    assert user_url(MID, SITE) == f"https://space.bilibili.com/{MID}"
    assert video_url(BVID, SITE, 2, 63) == f"https://www.bilibili.com/video/{BVID}?p=2&t=63"
    assert SITE.origin("passport") == "https://passport.bilibili.com"
    assert user_url(MID, SiteSettings(base_url="http://127.0.0.1:8100")) == f"http://127.0.0.1:8100/{MID}"


async def test_share_links_lead_to_the_video_and_the_user(ask, site):
    video = await ask("get_video", video=f"【标题】 {site.base}/abc1234 复制打开", comments=0)
    user = await ask("get_user", user=f"{site.base}/user123", videos=0)
    assert (video["bvid"], user["mid"]) == (BVID, MID)
    assert site.app.state.opened == ["/abc1234", f"/video/{BVID}", "/user123", f"/{MID}/upload/video"]


async def test_an_old_number_leads_to_the_video(ask):
    assert (await ask("get_video", video=f"av{AID}", comments=0))["bvid"] == BVID


@pytest.mark.parametrize("code", ["gone123", "loop123"])
async def test_a_share_link_that_leads_nowhere_is_not_found(refused, site, code):
    assert (await refused("get_video", video=f"{site.base}/{code}")).startswith("NOT_FOUND：")


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("page_412", "RATE_LIMITED"),
        ("intercepted", "RATE_LIMITED"),
        ("page_500", "UPSTREAM_UNREACHABLE"),
        ("page_404", "NOT_FOUND"),
    ],
)
async def test_a_refused_share_link_has_the_code_of_the_refusal(refused, site, case, code):
    site.app.state.case = case
    assert (await refused("get_video", video=f"{site.base}/abc1234")).startswith(f"{code}：")


async def test_share_links_stop_during_a_pause_and_begin_one(serve, site, tmp_path, refused):
    with serve(tmp_path, pause_seconds=900) as base:
        site.app.state.case = "page_412"
        first = await refused("get_video", base, video=f"{site.base}/abc1234")
        site.app.state.case = ""
        second = await refused("get_user", base, user=f"{site.base}/user123")
    assert first.startswith("RATE_LIMITED：") and second.startswith("RATE_LIMITED：")
    assert site.app.state.opened == ["/abc1234"]


async def test_a_share_link_is_followed_once_and_counts_as_a_page(serve, site, tmp_path, ask, refused):
    with serve(tmp_path, cache_seconds=600, daily_pages=2) as base:
        for _ in range(2):
            await ask("get_user", base, user=f"{site.base}/user123")
        error = await refused("get_video", base, video=f"{site.base}/abc1234")
    assert site.app.state.opened == ["/user123", f"/{MID}/upload/video"]
    assert error.startswith("RATE_LIMITED：")
