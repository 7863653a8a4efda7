"""Holds the signs of the site's refusals, each with its error code."""

from __future__ import annotations

from dyber_kit import ErrorCode
from dyber_kit.browser.login_steps import scan_step
from dyber_kit.browser.walls import COMMON_STATUSES, COMMON_TEXTS, Refusal, Walls

NO_RESULT_TEXTS = ("没有找到相关内容", "没找到相关内容", "未找到相关内容")
# The site shows these words after too many visits; the page works again later.
_SLOW_DOWN = {
    "访问频次异常": ErrorCode.RATE_LIMITED,
    "请勿频繁操作": ErrorCode.RATE_LIMITED,
    "this page isn't available right now": ErrorCode.RATE_LIMITED,
}

WALLS = Walls(
    title="小红书",
    login_step=scan_step("小红书", "xhs_login_qrcode"),
    statuses={**COMMON_STATUSES, 461: ErrorCode.CAPTCHA_REQUIRED, 471: ErrorCode.CAPTCHA_REQUIRED},
    codes={
        "300011": Refusal(ErrorCode.ACCESS_RESTRICTED, whole_account=True),
        "300012": Refusal(ErrorCode.ACCESS_RESTRICTED, whole_account=True),
        "300013": ErrorCode.RATE_LIMITED,
        "300031": ErrorCode.NOT_FOUND,
        "-510000": ErrorCode.NOT_FOUND,
        "-510001": ErrorCode.NOT_FOUND,
        "-100": ErrorCode.LOGIN_REQUIRED,
        "-101": ErrorCode.LOGIN_REQUIRED,
        "-104": ErrorCode.ACCESS_RESTRICTED,
    },
    good_codes=("0", "1000"),
    message_fields=("msg",),
    addresses={
        "/website-login/captcha": ErrorCode.CAPTCHA_REQUIRED,
        "/website-login/error": ErrorCode.ACCESS_RESTRICTED,
        "/login": ErrorCode.LOGIN_REQUIRED,
        "/404": ErrorCode.NOT_FOUND,
    },
    call_texts={**_SLOW_DOWN, **COMMON_TEXTS, "无登录信息": ErrorCode.LOGIN_REQUIRED},
    notices=(".access-wrapper", ".error-wrapper", ".not-found-wrapper", ".blocked-wrapper"),
    notice_texts={
        **_SLOW_DOWN,
        "请通过验证": ErrorCode.CAPTCHA_REQUIRED,
        "登录": ErrorCode.LOGIN_REQUIRED,
        "私密": ErrorCode.ACCESS_RESTRICTED,
        "仅作者可见": ErrorCode.ACCESS_RESTRICTED,
        "违规": ErrorCode.ACCESS_RESTRICTED,
        "暂时无法浏览": ErrorCode.NOT_FOUND,
        "已被删除": ErrorCode.NOT_FOUND,
        "不存在": ErrorCode.NOT_FOUND,
    },
    page_texts={
        **_SLOW_DOWN,
        "请通过验证": ErrorCode.CAPTCHA_REQUIRED,
        "登录后查看搜索结果": ErrorCode.LOGIN_REQUIRED,
        "登录探索更多内容": ErrorCode.LOGIN_REQUIRED,
        "获取验证码": ErrorCode.LOGIN_REQUIRED,
    },
    login_box=".login-container",
)
