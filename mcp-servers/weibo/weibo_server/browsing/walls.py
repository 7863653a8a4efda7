"""Holds the signs of the site's refusals, each with its error code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.login_steps import scan_step
from dyber_kit.browser.walls import COMMON_STATUSES, COMMON_TEXTS, Meaning, Refusal, Walls, platform_words

#: Stands for an answer in which the site says that there is nothing.
EMPTY: Mapping[str, Any] = {"ok": 1, "data": None}
#: Statuses of the QR code of a login; they are answers, and no refusals.
CODE_STATUSES = ("20000000", "20000001", "50114001", "50114002", "50114004")
#: What the site says in place of an empty list.
_EMPTY_TEXTS = ("还没有内容", "暂无数据", "快来发表你的评论", "没有找到", "还没有人评论", "暂无评论")
#: What the addresses have in common to which the site sends visitors who have to prove that they are human.
_PROOF_PARTS = ("captcha", "geetest", "/verify")
_TEXTS: Mapping[str, Meaning] = {
    **COMMON_TEXTS,
    "用户不存在": ErrorCode.NOT_FOUND,
    "微博不存在": ErrorCode.NOT_FOUND,
    "已被删除": ErrorCode.NOT_FOUND,
    "已被作者删除": ErrorCode.NOT_FOUND,
    "does not exist": ErrorCode.NOT_FOUND,
    "账号异常": Refusal(ErrorCode.ACCESS_RESTRICTED, whole_account=True),
}

# Words on pages are no signs: users write them, too. A page without data is told to ask, and the answer decides.
WALLS = Walls(
    title="微博",
    login_step=scan_step("微博", "weibo_login_qrcode"),
    statuses={**COMMON_STATUSES, 414: ErrorCode.RATE_LIMITED, 418: ErrorCode.RATE_LIMITED, 432: ErrorCode.RATE_LIMITED},
    codes={
        "20003": ErrorCode.NOT_FOUND,
        "20101": ErrorCode.NOT_FOUND,
        "20112": ErrorCode.ACCESS_RESTRICTED,
        "20130": ErrorCode.ACCESS_RESTRICTED,
        "10022": ErrorCode.RATE_LIMITED,
        "10023": ErrorCode.RATE_LIMITED,
        "10024": ErrorCode.RATE_LIMITED,
        "21301": ErrorCode.LOGIN_REQUIRED,
        "21315": ErrorCode.LOGIN_REQUIRED,
        "21327": ErrorCode.LOGIN_REQUIRED,
        "21332": ErrorCode.LOGIN_REQUIRED,
    },
    good_codes=("0", *CODE_STATUSES),
    code_fields=("error_code", "retcode"),
    addresses={
        "/sso/signin": ErrorCode.LOGIN_REQUIRED,
        "/signin/login": ErrorCode.LOGIN_REQUIRED,
        "/login.php": ErrorCode.LOGIN_REQUIRED,
        "/captcha": ErrorCode.CAPTCHA_REQUIRED,
        "/c/verify": ErrorCode.CAPTCHA_REQUIRED,
        "/unfreeze": Refusal(ErrorCode.ACCESS_RESTRICTED, whole_account=True),
        "/accessdeny": Refusal(ErrorCode.ACCESS_RESTRICTED, whole_account=True),
        "/sorry": ErrorCode.NOT_FOUND,
    },
    call_texts=_TEXTS,
)


def checked(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an answer of the site with data, or EMPTY when the site says that there is none.

    The field `ok` is 1 for success, -100 where a login or a human is required, and 0 for everything else, also for
    empty lists.

    Raises:
        ServiceError: What the answer means when it is a refusal.
    """
    state = body.get("ok")
    if str(state) in ("1", "True"):
        return body
    shown = platform_words(body.get("msg") or body.get("message"))
    if str(state) == "-100":
        code = ErrorCode.LOGIN_REQUIRED if needs_login(body) else ErrorCode.CAPTCHA_REQUIRED
        raise WALLS.wall(code, shown=shown).error()
    if state is None or (not shown and "data" not in body):
        raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
    if says_empty(shown):
        return EMPTY
    meaning = next((meaning for text, meaning in _TEXTS.items() if text in shown), ErrorCode.ACCESS_RESTRICTED)
    raise WALLS.wall(meaning, shown=shown, guessed=True).error()


def needs_login(body: Mapping[str, Any]) -> bool:
    """Return whether an answer of the site refuses guests; the same number also asks for a human verification."""
    place = str(body.get("url") or "")
    return str(body.get("ok")) == "-100" and not any(part in place for part in _PROOF_PARTS)


def says_empty(words: str) -> bool:
    """Return whether words of the site say that a list is empty."""
    return any(text in words for text in _EMPTY_TEXTS)
