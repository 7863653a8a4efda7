"""Tests of the warnings about search results and of the steps of a login, without a browser."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from xiaohongshu_server.login.page import LOGIN
from xiaohongshu_server.model.answers import NoteSummary
from xiaohongshu_server.model.filters import SearchFilters
from xiaohongshu_server.reading.hints import search_warnings, tab_warnings

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def item(likes: int | None = None, date: str | None = None) -> NoteSummary:
    return NoteSummary(note_ref="n", title="t", type="image", author="a", likes=likes, date=date)


def warnings_of(filters: SearchFilters, *items: NoteSummary, nothing: bool = False) -> str:
    return "\n".join(search_warnings(filters, items, nothing=nothing, now=NOW))


def test_an_ordinary_list_has_no_warnings():
    assert warnings_of(SearchFilters(), item(1), item(2)) == ""


def test_the_warning_for_an_empty_list_names_the_applied_filters():
    warnings = warnings_of(SearchFilters(sort="latest", note_type="video"), nothing=True)
    assert "排序依据=最新" in warnings and "笔记类型=视频" in warnings
    assert "没有找到这个词" in warnings_of(SearchFilters(), nothing=True)


def test_the_warning_for_a_distance_filter_names_its_origin():
    assert "账号所在地" in warnings_of(SearchFilters(distance="nearby"), nothing=True)


def test_the_warning_for_an_empty_list_of_seen_notes_says_that_a_login_is_required():
    assert "须先登录" in warnings_of(SearchFilters(scope="seen"), nothing=True)


@pytest.mark.parametrize(("likes", "expected"), [((3, 2, None, 1), False), ((1, 2), True)])
def test_a_warning_reports_a_list_that_is_not_sorted(likes, expected):
    assert ("顺序" in warnings_of(SearchFilters(sort="most_liked"), *map(item, likes))) is expected


@pytest.mark.parametrize(("day", "expected"), [("2026-11-16", False), ("2026-11-01", True)])
def test_a_warning_reports_dates_outside_the_period(day, expected):
    warnings = warnings_of(SearchFilters(publish_time="week"), item(date=day))
    assert ("早于 week" in warnings) is expected


def test_the_warning_for_an_empty_tab_says_that_it_may_not_be_public():
    assert "没有公开" in "".join(tab_warnings("favorites", complete=False))
    assert "没有公开" not in "".join(tab_warnings("favorites", complete=True))


def test_applied_filters_are_those_that_differ_from_the_defaults():
    assert SearchFilters(sort="latest", distance="any").applied() == {"sort": "latest"}


LOGIN_BOX = "手机号登录\n获取验证码\n扫码"


@pytest.mark.parametrize(
    ("page", "code_status", "step"),
    [
        ({"qr": "data:", "text": LOGIN_BOX, "code_input": True}, 0, "scan"),
        ({"qr": "data:", "text": LOGIN_BOX, "code_input": True}, None, "scan"),
        ({"qr": "data:", "text": LOGIN_BOX, "code_input": True}, 1, "confirm"),
        ({"qr": "data:", "text": LOGIN_BOX}, 3, "expired"),
        ({"text": "请输入短信验证码", "code_input": True}, 2, "sms_code"),
        ({"text": "请拖动滑块"}, 2, "captcha"),
        ({"url": "https://x/website-login/captcha?a=b", "text": "请拖动滑块"}, 2, "captcha"),
        ({"url": "https://x/website-login/captcha", "text": "请使用 App 扫码验证"}, 2, "second_code"),
        ({"url": "https://x/website-login/captcha", "text": "短信已发送"}, 2, "sms_code"),
    ],
)
def test_the_step_of_a_login_is_read_from_its_page(page, code_status, step):
    snapshot = {"url": "https://x/explore", "qr": "", "text": "", "code_input": False, **page}
    assert LOGIN.step_of(snapshot, code_status, captcha=False) == step


def test_a_captcha_of_the_pages_calls_is_a_step():
    snapshot = {"url": "https://x/explore", "qr": "data:", "text": LOGIN_BOX, "code_input": True}
    assert LOGIN.step_of(snapshot, 0, captcha=True) == "captcha"


def test_only_in_the_users_own_browser_the_user_can_give_a_proof_directly():
    assert "在打开的小红书标签页" in LOGIN.advice("小红书", "sms_code", NOW, attached=True)
    assert "导入 Cookie" in LOGIN.advice("小红书", "sms_code", NOW, attached=False)
