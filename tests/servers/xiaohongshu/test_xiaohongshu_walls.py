"""Tests of recognising refusals in the site's answers and pages, by known codes and by messages."""

from __future__ import annotations

from typing import Any

import pytest
from dyber_kit import ErrorCode
from dyber_kit.browser.walls import Wall
from xiaohongshu_server.browsing.walls import WALLS

from tests.stand_in.platforms.xiaohongshu.data import REFUSALS

BASE = "https://www.xiaohongshu.com"


def refused(status: int = 200, **answer: Any) -> Wall | None:
    return WALLS.of_answer(status, answer or None)


def page(**values: Any) -> Wall | None:
    return WALLS.of_page({"url": f"{BASE}/explore", "blocked_text": "", "text": "", "login_box": False, **values})


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (461, ErrorCode.CAPTCHA_REQUIRED),
        (471, ErrorCode.CAPTCHA_REQUIRED),
        (429, ErrorCode.RATE_LIMITED),
        (401, ErrorCode.LOGIN_REQUIRED),
        (403, ErrorCode.ACCESS_RESTRICTED),
    ],
)
def test_statuses_of_the_sites_calls_have_codes(status, code):
    assert refused(status).code is code


def test_a_data_call_with_404_is_not_a_wall():
    assert refused(404) is None


@pytest.mark.parametrize(
    ("code", "expected"),
    [(300011, "ACCESS_RESTRICTED"), (-510001, "NOT_FOUND"), (300031, "NOT_FOUND"), (-104, "ACCESS_RESTRICTED")],
)
def test_platform_codes_are_known(code, expected):
    assert refused(code=code, success=False).code == expected


@pytest.mark.parametrize("answer", [{"success": True, "code": 0}, {"success": True}, {"code": 1000}, {"code": 0}, {}])
def test_an_answer_with_data_is_not_a_wall(answer):
    assert WALLS.of_answer(200, {**answer, "data": {}}) is None


@pytest.mark.parametrize(("code", "whole_account"), [(300011, True), (300012, True), (-510001, False), (-104, False)])
def test_a_refused_account_and_a_deleted_note_are_distinguished(code, whole_account):
    assert refused(code=code, success=False).error().whole_account is whole_account


def test_an_unknown_code_is_reported_with_the_sites_message_shortened_and_cleaned():
    wall = refused(code=-9999, success=False, msg=REFUSALS[-9999])
    message = wall.error().message
    assert (wall.code, wall.certain) == (ErrorCode.ACCESS_RESTRICTED, True)
    assert message.startswith("小红书提示：系统开小差了，请稍后再来")
    assert message.endswith("（代码 -9999）")
    assert len(message) < 140


@pytest.mark.parametrize(
    ("msg", "code"),
    [
        ("访问频次异常，请勿频繁操作", ErrorCode.RATE_LIMITED),
        ("操作太频繁了", ErrorCode.RATE_LIMITED),
        ("请通过验证", ErrorCode.CAPTCHA_REQUIRED),
        ("无登录信息，或登录信息为空", ErrorCode.LOGIN_REQUIRED),
        ("您当前登录的账号没有权限访问", ErrorCode.ACCESS_RESTRICTED),
        ("", ErrorCode.ACCESS_RESTRICTED),
        (None, ErrorCode.ACCESS_RESTRICTED),
    ],
)
def test_an_unknown_code_with_a_known_message_gets_the_code_of_the_message(msg, code):
    assert refused(code=-1, success=False, msg=msg).code is code


@pytest.mark.parametrize(("status", "code"), [(502, "UPSTREAM_UNREACHABLE"), (406, "ACCESS_RESTRICTED")])
def test_a_status_without_a_message_is_not_certain(status, code):
    wall = refused(status)
    assert (wall.code, wall.certain) == (code, False)


def test_a_gateways_error_is_unreachable_for_any_body():
    wall = refused(502, success=False)
    assert (wall.code, wall.certain) == ("UPSTREAM_UNREACHABLE", False)


ENGLISH = "Sorry, This Page Isn\u2019t Available Right Now.\nOpen the app and scan to see this note"


@pytest.mark.parametrize("text", [ENGLISH, ENGLISH.replace("\u2019", "'"), ENGLISH.upper()])
def test_the_english_page_after_too_many_visits_is_a_rate_limit(text):
    blocked = page(blocked_text=text)
    assert (blocked.code, blocked.certain) == (ErrorCode.RATE_LIMITED, True)
    assert "restricted" not in blocked.error().text.lower()
    assert page(text=text).code is ErrorCode.RATE_LIMITED


def test_an_unknown_notice_is_reported_with_the_sites_message():
    assert page(blocked_text="暂不支持查看\n返回首页").error().message == "小红书提示：暂不支持查看"


def test_an_ordinary_page_is_not_a_wall():
    assert page(text="咖啡") is None
