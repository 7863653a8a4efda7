"""Tests of how posts, comments and users are read, also in shapes that are odd."""

from __future__ import annotations

from datetime import datetime

import pytest
from dyber_kit import ErrorCode, ServiceError
from dyber_kit.times import SHANGHAI
from dyber_kit.upstream.privacy import Privacy

from tests.stand_in.platforms.weibo import data

from weibo_server.browsing.walls import EMPTY, checked
from weibo_server.reading.parse import Parser, long_text, picture_urls

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=SHANGHAI)
PARSER = Parser(Privacy(False))


def test_a_post_of_the_site_is_read():
    post = PARSER.post(data.posts()[data.REPOST], NOW)
    assert (post.post, post.author, post.text, post.likes) == (data.REPOST, data.NAME, "转发微博", 340)
    assert (post.repost_of.author, post.repost_of.text) == ("原作者", "看视频")
    assert post.url == f"https://weibo.com/{data.UID}/{data.BIDS[data.REPOST]}"


def test_a_post_of_the_mobile_site_is_read():
    post = PARSER.post(data.mobile_post(0), NOW)
    assert (post.text, post.truncated, post.created_at) == (
        "#手机# 结果 0 电池很好[doge]", True, "2026-11-29T11:55:00+08:00",
    )  # fmt: skip
    assert (post.likes, post.comments, post.lower_bounds) == (1_000_000, 17_000, ["likes"])
    assert post.picture_urls == ["https://wx1.sinaimg.cn/large/a.jpg"]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("Mon May 19 11:00:21 +0800 2025", "2025-05-19T11:00:21+08:00"),
        ("刚刚", "2026-11-29T12:00:00+08:00"),
        ("5分钟前", "2026-11-29T11:55:00+08:00"),
        ("昨天 12:30", "2026-11-28T12:30:00+08:00"),
        ("11-28", "2026-11-28T00:00:00+08:00"),
        ("2025-05-19", "2025-05-19T00:00:00+08:00"),
        ("坏的时间", None),
        (None, None),
    ],
)
def test_times_are_read_in_every_form_of_the_site(shown, expected):
    assert PARSER.post(data.post(data.VIDEO, created_at=shown), NOW).created_at == expected


@pytest.mark.parametrize(
    ("shown", "value", "bounds"),
    [(340, 340, []), ("340", 340, []), ("1.7万", 17_000, []), ("2671.2万", 26_712_000, []), ("1.2亿", 120_000_000, []),
     ("100万+", 1_000_000, ["likes"]), ("赞", None, []), (None, None, []), (True, None, [])],
)  # fmt: skip
def test_numbers_are_read_in_every_form_of_the_site(shown, value, bounds):
    post = PARSER.post(data.post(data.VIDEO, attitudes_count=shown), NOW)
    assert (post.likes, post.lower_bounds) == (value, bounds)


def test_markup_and_invisible_characters_leave_the_text_and_emoji_stay():
    raw = data.post(data.VIDEO, text="<script>x()</script>看<br/>这里 <img alt='[心]'>\u200b&amp;👩‍👩‍👧", text_raw="")
    assert PARSER.post(raw, NOW).text == "看\n这里 [心]&👩‍👩‍👧"


def test_text_that_only_looks_like_markup_stays_when_the_site_sent_plain_text():
    assert PARSER.post(data.post(data.VIDEO, "a <b> & 1<2"), NOW).text == "a <b> & 1<2"


def test_a_very_long_text_is_cut_and_says_so():
    raw = data.post(data.VIDEO, "长" * 5000)
    assert (len(PARSER.post(raw, NOW).text), PARSER.post(raw, NOW).truncated) == (300, True)
    assert not PARSER.post(raw, NOW, 6000).truncated


@pytest.mark.parametrize(
    "pictures",
    [
        {"pics": {"0": {"large": {"url": "https://a/1.jpg"}}, "1": {"url": "ftp://a/2.jpg"}}},
        {"pics": [{"url": "https://a/1.jpg"}, "odd", {}]},
        {"pic_infos": {"x": {"large": {"url": "https://a/1.jpg"}}, "y": None}, "pic_ids": None},
    ],
)
def test_pictures_are_read_in_every_form(pictures):
    assert picture_urls(data.post(data.VIDEO, **pictures)) == ["https://a/1.jpg"]


@pytest.mark.parametrize("raw", [{}, {"id": "x"}, {"id": True}, {"id": None, "mid": ""}])
def test_an_entry_without_a_number_is_no_post(raw):
    assert PARSER.post(raw, NOW) is None


def test_a_list_without_any_post_means_that_the_site_has_changed():
    with pytest.raises(ServiceError) as refusal:
        PARSER.posts([{"renamed": 1}], NOW)
    assert refusal.value.code is ErrorCode.UPSTREAM_CHANGED
    assert PARSER.posts([], NOW) == []


def test_the_same_post_is_listed_once():
    assert len(PARSER.posts([data.post(data.VIDEO), data.post(data.VIDEO), "odd"], NOW)) == 1


@pytest.mark.parametrize(
    "raw",
    [
        {"longText": {"content": "全文"}},
        {"data": {"longTextContent": "全文"}},
        {"data": {"longTextContent_raw": "全文"}},
    ],
)
def test_the_whole_text_is_found_where_the_site_puts_it(raw):
    assert long_text(raw) == "全文"


def test_privacy_hides_who_wrote():
    parser = Parser(Privacy(True, b"salt"))
    post = parser.post(data.posts()[data.LONG], NOW)
    shown = parser.comments([data.comment(1)], NOW)[0]
    profile = parser.user(data.profile())
    assert (post.author, post.region, post.url) == ("测**", None, f"https://weibo.com/detail/{data.LONG}")
    assert post.user_id.startswith("u_") and data.UID not in post.user_id
    assert (shown.author, shown.region) == ("网**", None)
    assert {"description", "location", "url", "gender"}.isdisjoint(profile)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"ok": -100, "url": "https://passport.weibo.com/sso/signin"}, "LOGIN_REQUIRED"),
        ({"ok": "-100"}, "LOGIN_REQUIRED"),
        ({"ok": -100, "url": "https://m.weibo.cn/c/verify?x=1"}, "CAPTCHA_REQUIRED"),
        ({"ok": -100, "url": "https://security.weibo.com/captcha/geetest"}, "CAPTCHA_REQUIRED"),
        ({"ok": 0, "msg": "请求过于频繁，歇歇吧"}, "RATE_LIMITED"),
        ({"ok": 0, "message": "用户不存在"}, "NOT_FOUND"),
        ({"ok": 0, "msg": "今日客满"}, "ACCESS_RESTRICTED"),
        ({"ok": 0}, "UPSTREAM_CHANGED"),
        ({"data": {}}, "UPSTREAM_CHANGED"),
    ],
)
def test_each_refusal_of_the_site_has_its_code(body, code):
    with pytest.raises(ServiceError) as refusal:
        checked(body)
    assert refusal.value.code == code


def test_an_empty_list_is_no_refusal():
    for words in ("这里还没有内容", "快来发表你的评论吧"):
        assert checked({"ok": 0, "msg": words, "data": {"cards": []}}) is EMPTY
