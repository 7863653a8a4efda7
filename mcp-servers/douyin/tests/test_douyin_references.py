"""Tests of how callers may name videos and users: ids, links of every kind, share texts."""

from __future__ import annotations

import pytest
from dyber_kit import ErrorCode, ServiceError

from tests.stand_in.platforms.douyin.data import USER, VIDEO

from douyin_server.config import DEFAULT_API_URL, DEFAULT_BASE_URL
from douyin_server.model.filters import SearchFilters
from douyin_server.model.references import References, UserReference, VideoReference, first_link

SITE = References(DEFAULT_BASE_URL, DEFAULT_API_URL)
SHARE_TEXT = (
    "7.48 复制打开抖音，看看【咖啡阿明的作品】在家做手冲 # 咖啡 https://v.douyin.com/iAbC-d_9/ 05/12 xKj:/ F@u.FH"
)


@pytest.mark.parametrize(
    "text",
    [
        VIDEO,
        f"  {VIDEO}\n",
        f"https://www.douyin.com/video/{VIDEO}",
        f"http://douyin.com/video/{VIDEO}/?previous_page=web_code_link#top",
        f"www.douyin.com/video/{VIDEO}",
        f"https://m.douyin.com/share/video/{VIDEO}/?region=CN&mid=1",
        f"https://www.iesdouyin.com/share/video/{VIDEO}/?region=CN",
        f"https://www.douyin.com/jingxuan?modal_id={VIDEO}",
        f"https://www.douyin.com/user/{USER}?modal_id={VIDEO}",
        f"https://www.douyin.com/search/咖啡?modal_id={VIDEO}&type=general",
        f"snssdk1128://aweme/detail/{VIDEO}?refer=web",
        f"分享：《手冲》（https://www.douyin.com/video/{VIDEO}），很好",
        f"看这个www.douyin.com/video/{VIDEO}。",
    ],
)
def test_a_video_is_recognised_in_every_form(text):
    assert SITE.video(text).video_id == VIDEO


@pytest.mark.parametrize("kind", ["video", "note", "slides"])
def test_the_kind_is_that_of_the_link(kind):
    assert SITE.video(f"https://www.iesdouyin.com/share/{kind}/{VIDEO}/") == VideoReference(VIDEO, kind)


@pytest.mark.parametrize(
    "text",
    [
        USER,
        f"https://www.douyin.com/user/{USER}?from_tab_name=main",
        f"https://www.douyin.com/user/{USER}?modal_id={VIDEO}",
        f"https://www.iesdouyin.com/share/user/100000000001?sec_uid={USER}&u_code=0",
        f"https://www.iesdouyin.com/share/user/{USER}",
        f"长按复制此条消息，打开抖音搜索，查看TA的更多作品。 https://www.douyin.com/user/{USER}",
    ],
)
def test_a_user_is_recognised_in_every_form(text):
    assert SITE.user(text) == UserReference(USER)


def test_a_link_of_both_leads_to_the_video_that_is_open():
    assert SITE.target(f"https://www.douyin.com/user/{USER}?modal_id={VIDEO}") == VideoReference(VIDEO)
    assert SITE.target(f"https://www.douyin.com/user/{USER}") == UserReference(USER)


def test_the_short_link_of_a_share_text_is_recognised():
    assert first_link(SHARE_TEXT) == "https://v.douyin.com/iAbC-d_9/"
    assert SITE.short_links.matches("https://v.douyin.com/iAbC-d_9/")
    assert first_link("看看 v.douyin.com/iAbC-d_9/ 吧") == "https://v.douyin.com/iAbC-d_9/"


@pytest.mark.parametrize(
    "url",
    [
        "https://v.douyin.com:8443/iAbCd/",
        "https://v.douyin.com/a/b/",
        "https://v.douyin.com.evil.example/iAbCd/",
        "https://evil.example/https://v.douyin.com/iAbCd/",
        "https://www.douyin.com/video/1",
    ],
)
def test_other_addresses_are_no_short_links(url):
    assert not SITE.short_links.matches(first_link(url))


@pytest.mark.parametrize(
    "text",
    [
        "手冲咖啡",
        "12345",
        "https://www.douyin.com/",
        "https://www.douyin.com/video/123",
        f"https://www.tiktok.com/@a/video/{VIDEO}",
        f"https://www.douyin.com@evil.example/video/{VIDEO}",
        f"https://evil.example/?to=https://www.douyin.com/video/{VIDEO}",
        f"https://douyin.com.evil.example/video/{VIDEO}",
        f"https://notdouyin.com/video/{VIDEO}",
        f"https://www.douyin.com:8443/video/{VIDEO}",
        f"file:///video/{VIDEO}",
        f"https://[bad/video/{VIDEO}",
        f"https://www.douyin.com/user/{USER}",
    ],
)
def test_what_is_no_video_of_the_platform_is_refused(text):
    with pytest.raises(ServiceError) as refused:
        SITE.video(text)
    assert refused.value.code is ErrorCode.INVALID_ARGUMENT and refused.value.fields == ("video",)


@pytest.mark.parametrize(
    "text", ["咖啡阿明", f"https://www.douyin.com/video/{VIDEO}", "https://www.douyin.com/user/self"]
)
def test_what_is_no_user_is_refused(text):
    with pytest.raises(ServiceError) as refused:
        SITE.user(text)
    assert refused.value.code is ErrorCode.INVALID_ARGUMENT and refused.value.fields == ("user",)


def test_the_address_of_a_search_keeps_the_keyword_in_its_place():
    url = SITE.search_url("../a?b=c&d/咖啡", SearchFilters("latest", "day"))
    assert url.startswith("https://www.douyin.com/search/..%2Fa%3Fb%3Dc%26d%2F%E5%92%96")
    assert url.endswith("?type=general&sort_type=2&publish_time=1")
