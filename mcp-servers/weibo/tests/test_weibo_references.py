"""Tests of how callers may name posts and users: ids, names, links of every kind, texts with a link."""

from __future__ import annotations

import pytest
from dyber_kit import ErrorCode, ServiceError

from weibo_server.config import WeiboSettings
from weibo_server.model.references import UserReference, bid_of, mid_of, parse_post, parse_user, short_link_form

BASE = "https://weibo.com"
MID, BID, UID = "5312356647437845", "R5bs4vcVf", "1795308214"


@pytest.mark.parametrize(
    ("mid", "bid"),
    [
        ("5312356647437845", "R5bs4vcVf"),
        ("5319196504230218", "R83o6hKtk"),
        ("4858157115641330", "MooVNnFzc"),
    ],
)
def test_numbers_and_short_ids_of_posts_are_the_same_thing(mid, bid):
    assert (bid_of(mid), mid_of(bid)) == (bid, mid)


@pytest.mark.parametrize("mid", ["4467000000000001", "4467107000000000", "5000000000000000"])
def test_zeros_inside_of_numbers_survive_the_short_id(mid):
    assert mid_of(bid_of(mid)) == mid


@pytest.mark.parametrize(
    "text",
    [
        MID,
        BID,
        f"{UID}/{BID}",
        f"https://weibo.com/{UID}/{BID}",
        f"https://www.weibo.com/{UID}/{BID}?refer_flag=1001030103_#comment",
        f"http://weibo.com/{UID}/{MID}",
        f"https://weibo.com/detail/{MID}",
        f"https://m.weibo.cn/status/{MID}?",
        f"https://m.weibo.cn/status/{BID}",
        f"https://m.weibo.cn/detail/{MID}#comment",
        f"https://m.weibo.cn/{UID}/{MID}",
        f"https://weibo.cn/comment/{BID}?uid={UID}&rl=0",
        f"m.weibo.cn/status/{MID}",
        f"https://share.api.weibo.cn/share/298464547,{MID}.html?weibo_id={MID}",
        f"sinaweibo://detail?mblogid={MID}",
        f"看看【测试博主的微博】 https://weibo.com/{UID}/{BID}，很好看",
        f"分享自微博（https://m.weibo.cn/status/{MID}）",
    ],
)
def test_a_post_is_recognised_in_every_form(text):
    assert parse_post(text, BASE).mid == MID


def test_a_link_with_the_author_leads_to_the_posts_own_page():
    assert parse_post(f"https://weibo.com/{UID}/{MID}", BASE).path == f"/{UID}/{BID}"
    assert parse_post(MID, BASE).path == f"/detail/{MID}"


@pytest.mark.parametrize(
    "text",
    ["", "你好", "12345", f"https://weibo.com/u/{UID}", "https://weibo.com/ttarticle/p/show?id=2309404", "a/b/c",
     "https://weibo.com/tv/show/1034:4858157115641330", "../../etc/passwd", "aaaaaaaaaaaaaaaaa"],
)  # fmt: skip
def test_what_is_no_post_is_refused_with_an_example(text):
    with pytest.raises(ServiceError) as refusal:
        parse_post(text, BASE)
    assert refusal.value.code is ErrorCode.INVALID_ARGUMENT
    assert "m.weibo.cn/status/" in refusal.value.next_step


@pytest.mark.parametrize(
    "text",
    [
        f"https://weibo.com.evil.example/{UID}/{BID}",
        f"https://evil.example/weibo.com/{UID}/{BID}",
        f"https://weibo.com@evil.example/{UID}/{BID}",
        "https://[bad",
    ],
)
def test_links_to_other_sites_are_refused(text):
    for parse in (parse_post, parse_user):
        with pytest.raises(ServiceError, match="链接不是微博的"):
            parse(text, BASE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (UID, UserReference(uid=UID)),
        (f"https://weibo.com/u/{UID}?tabtype=feed", UserReference(uid=UID)),
        (f"https://weibo.com/{UID}", UserReference(uid=UID)),
        (f"https://m.weibo.cn/u/{UID}", UserReference(uid=UID)),
        (f"https://m.weibo.cn/profile/{UID}", UserReference(uid=UID)),
        (f"https://weibo.com/p/100505{UID}", UserReference(uid=UID)),
        (f"https://m.weibo.cn/p/107603{UID}", UserReference(uid=UID)),
        (f"sinaweibo://userinfo?uid={UID}", UserReference(uid=UID)),
        (f"https://weibo.com/{UID}/{BID}", UserReference(uid=UID)),
        ("@人民日报", UserReference(name="人民日报")),
        ("来去之间", UserReference(name="来去之间")),
        ("https://weibo.com/n/%E4%BA%BA%E6%B0%91%E6%97%A5%E6%8A%A5", UserReference(name="人民日报")),
        ("https://weibo.com/rmrb", UserReference(custom="rmrb")),
    ],
)
def test_a_user_is_recognised_in_every_form(text, expected):
    assert parse_user(text, BASE) == expected


@pytest.mark.parametrize(
    "text", ["", "两个 词", "https://weibo.com/hot/search", "https://weibo.com/newlogin", "a/../b"]
)
def test_what_is_no_user_is_refused(text):
    with pytest.raises(ServiceError, match="没有认出微博用户"):
        parse_user(text, BASE)


def test_names_of_users_cannot_change_the_path_of_a_page():
    assert UserReference(name="人/民?#").path == "/n/%E4%BA%BA%2F%E6%B0%91%3F%23"


@pytest.mark.parametrize(
    ("url", "expected"),
    [("http://t.cn/A6abcdef", True), ("https://t.cn/RxyZ12", True), ("https://t.cn.evil.example/A6abcdef", False),
     ("http://t.cn/a/b", False), ("https://weibo.com/u/1", False)],
)  # fmt: skip
def test_short_links_are_recognised(url, expected):
    assert short_link_form(WeiboSettings().base_url).matches(url) is expected


def test_settings_are_read_from_the_environment_and_hide_the_secret(monkeypatch):
    monkeypatch.setenv("WEIBO_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WEIBO_APP_ID", "2882303761")
    monkeypatch.setenv("WEIBO_APP_SECRET", "hunter2hunter2")
    settings = WeiboSettings.from_environment()
    assert {settings.api_url, settings.mobile_url, settings.login_url} == {"http://127.0.0.1:9"}
    assert short_link_form(settings.base_url).matches("http://127.0.0.1:9/t.cn/A6abcdef")
    assert "hunter2" not in repr(settings)


def test_the_addresses_are_those_of_weibo_by_default(monkeypatch):
    for name in ("WEIBO_BASE_URL", "WEIBO_API_URL", "WEIBO_MOBILE_URL", "WEIBO_LOGIN_URL"):
        monkeypatch.delenv(name, raising=False)
    settings = WeiboSettings.from_environment()
    assert (settings.base_url, settings.mobile_url) == ("https://weibo.com", "https://m.weibo.cn")
    assert (settings.login_url, settings.api_url) == ("https://passport.weibo.com", "https://open-im.api.weibo.com")


@pytest.mark.parametrize(
    ("name", "value"),
    [("WEIBO_API_URL", "open-im"), ("WEIBO_DAILY_REQUESTS", "0"), ("WEIBO_CACHE_SECONDS", "-1")],
)
def test_an_unusable_setting_is_named(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=name):
        WeiboSettings.from_environment()
