"""Tests of recognising a platform's refusals by a table, with tables as those of several platforms."""

from __future__ import annotations

from typing import Any

import pytest
from dyber_kit import ErrorCode
from dyber_kit.browser.walls import COMMON_STATUSES, Refusal, Wall, Walls
from dyber_kit.language import using_language

WALLS = Walls(
    title="驿站",
    login_step="请调用 inn_login_qrcode",
    statuses={**COMMON_STATUSES, 432: Refusal(ErrorCode.RATE_LIMITED, pause=3600)},
    codes={
        "-352": Refusal(ErrorCode.ACCESS_RESTRICTED, whole_account=True),
        "101": ErrorCode.LOGIN_REQUIRED,
        "62002": ErrorCode.NOT_FOUND,
    },
    good_codes=("0", "1"),
    code_fields=("error.code", "ok", "code"),
    message_fields=("error.message", "msg"),
    addresses={
        "/account/unhuman": ErrorCode.CAPTCHA_REQUIRED,
        "passport.inn.example": ErrorCode.LOGIN_REQUIRED,
        "inn.example/limits": ErrorCode.ACCESS_RESTRICTED,
    },
    notices=(".gone",),
    notice_texts={"deleted": ErrorCode.NOT_FOUND},
    titles={"验证码中间页": ErrorCode.CAPTCHA_REQUIRED},
    page_texts={"log in to continue": ErrorCode.LOGIN_REQUIRED},
    boxes={"#captcha": ErrorCode.CAPTCHA_REQUIRED},
    login_box=".login",
)


def page(**values: Any) -> Wall | None:
    return WALLS.of_page(
        {"url": "https://www.inn.example/", "blocked_text": "", "text": "", "title": "", "login_box": False, **values}
    )


@pytest.mark.parametrize(
    ("status", "answer", "code"),
    [
        (432, None, ErrorCode.RATE_LIMITED),
        (401, {"error": {"code": 101}}, ErrorCode.LOGIN_REQUIRED),
        (200, {"error": {"code": 101}}, ErrorCode.LOGIN_REQUIRED),
        (200, {"code": 62002}, ErrorCode.NOT_FOUND),
        (200, {"ok": -100, "msg": "Too Many Requests"}, ErrorCode.RATE_LIMITED),
        (200, {"ok": -7, "msg": "Please log in first"}, ErrorCode.LOGIN_REQUIRED),
        (503, {"code": 0}, ErrorCode.UPSTREAM_UNREACHABLE),
    ],
)
def test_a_refused_call_has_the_code_of_the_table(status, answer, code):
    assert WALLS.of_answer(status, answer).code is code


@pytest.mark.parametrize("answer", [{"ok": 1}, {"code": 0}, {"items": []}, [1, 2], {"error": None, "code": "0"}])
def test_an_answer_with_a_good_code_or_without_a_code_has_data(answer):
    assert WALLS.of_answer(200, answer) is None


def test_an_unknown_code_is_reported_with_the_platforms_own_words():
    wall = WALLS.of_answer(200, {"error": {"code": 40362, "message": "<b>您的网络\u200b环境异常</b>"}})
    assert (wall.code, wall.guessed) == (ErrorCode.ACCESS_RESTRICTED, True)
    assert wall.error().message == "驿站提示：您的网络环境异常（代码 40362）"


def test_a_known_code_is_reported_with_the_platforms_own_words():
    assert WALLS.of_answer(200, {"code": -352, "msg": "风控"}).error().message == "驿站提示：风控"


def test_only_the_refusal_of_a_whole_account_tells_not_to_change_the_account():
    whole = WALLS.of_answer(200, {"code": -352}).error()
    item = WALLS.of_answer(200, {"code": 62002}).error()
    assert whole.whole_account and "不要换账号" in whole.next_step
    assert not item.whole_account and "账号" not in item.next_step


def test_a_refusal_can_have_a_pause_of_its_own():
    assert WALLS.of_status(432).error().retry_after == 3600
    assert WALLS.of_status(429).error().retry_after is None


def test_a_required_login_names_the_next_step_of_the_service():
    assert WALLS.of_status(401).error().next_step == "请调用 inn_login_qrcode"
    assert "登录" in Walls(title="驿站").of_status(401).error().next_step


def test_an_answer_without_json_is_a_refusal_only_where_the_table_says_so():
    strict = Walls(title="驿站", json_required=True)
    assert (strict.of_answer(200, None).code, WALLS.of_answer(200, None)) == (ErrorCode.ACCESS_RESTRICTED, None)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://www.inn.example/account/unhuman?next=%2F", ErrorCode.CAPTCHA_REQUIRED),
        ("https://passport.inn.example/sso?back=x", ErrorCode.LOGIN_REQUIRED),
        ("https://www.inn.example/limits/", ErrorCode.ACCESS_RESTRICTED),
        ("https://www.inn.example/x?error_code=62002", ErrorCode.NOT_FOUND),
    ],
)
def test_a_redirect_to_a_known_address_is_a_wall(url, code):
    wall = page(url=url)
    assert (wall.code, wall.certain) == (code, True)


@pytest.mark.parametrize(
    "url",
    ["https://www.inn.example/account/unhumane", "https://other.example/limits", "https://notpassport.inn.example/"],
)
def test_a_similar_address_is_not_a_wall(url):
    assert page(url=url) is None


@pytest.mark.parametrize(
    ("shown", "code"),
    [
        ({"box": "#captcha", "text": "log in to continue"}, ErrorCode.CAPTCHA_REQUIRED),
        ({"title": "验证码中间页"}, ErrorCode.CAPTCHA_REQUIRED),
        ({"text": "Log in to continue"}, ErrorCode.LOGIN_REQUIRED),
        ({"login_box": True}, ErrorCode.LOGIN_REQUIRED),
    ],
)
def test_signs_beside_the_content_count_only_while_no_data_comes(shown, code):
    wall = page(**shown)
    assert (wall.code, wall.certain) == (code, False)


@pytest.mark.parametrize(
    ("notice", "code"), [("This post was Deleted", "NOT_FOUND"), ("暂不开放\n返回", "ACCESS_RESTRICTED")]
)
def test_a_notice_in_place_of_the_content_is_certain(notice, code):
    wall = page(blocked_text=notice)
    assert (wall.code, wall.certain, wall.error().message) == (code, True, f"驿站提示：{notice.splitlines()[0]}")


@pytest.mark.parametrize(
    ("answer", "chinese", "english"),
    [
        ({"ok": -9}, "驿站提示：没有说明原因（代码 -9）", "驿站 says: no reason given (code -9)"),
        ({"ok": -9, "msg": "已满"}, "驿站提示：已满（代码 -9）", "驿站 says: 已满 (code -9)"),
        (
            {"ok": -1, "msg": "Too many requests"},
            "平台限制了访问频率（驿站提示：Too many requests（代码 -1））",
            "The platform limits how often it may be accessed (驿站 says: Too many requests (code -1))",
        ),
    ],
)
def test_a_refusal_is_reported_in_the_language_of_each_caller_and_in_the_platforms_words(answer, chinese, english):
    error = WALLS.of_answer(200, answer).error()
    assert error.message == chinese
    with using_language("en"):
        assert error.message == english
