"""Holds the signs of the site's refusals, each with its error code."""

from __future__ import annotations

from dyber_kit import ErrorCode
from dyber_kit.browser.login_steps import scan_step
from dyber_kit.browser.walls import COMMON_STATUSES, COMMON_TEXTS, Refusal, Walls

_UNUSUAL = {
    "网络环境存在异常": ErrorCode.CAPTCHA_REQUIRED,
    "请您点击下方验证按钮": ErrorCode.CAPTCHA_REQUIRED,
    "暂时限制本次访问": ErrorCode.RATE_LIMITED,
}

WALLS = Walls(
    title="知乎",
    login_step=scan_step("知乎", "zhihu_login_qrcode"),
    statuses=COMMON_STATUSES,
    codes={
        "100": ErrorCode.LOGIN_REQUIRED,
        "101": ErrorCode.LOGIN_REQUIRED,
        "4041": ErrorCode.NOT_FOUND,
        # The page's own signature was not accepted; another attempt does not help.
        "10003": ErrorCode.UPSTREAM_CHANGED,
        "40352": ErrorCode.CAPTCHA_REQUIRED,
        # The address or the account looks unusual to the site: an hour without visits.
        "40362": Refusal(ErrorCode.RATE_LIMITED, pause=3600),
    },
    code_fields=("error.code", "code"),
    message_fields=("error.message", "message"),
    # /signin is recognised by its box, because the login by QR code opens that page on purpose.
    addresses={"/account/unhuman": ErrorCode.CAPTCHA_REQUIRED},
    call_texts={**_UNUSUAL, **COMMON_TEXTS},
    notices=(".ErrorPage", ".PageNotFound", ".QuestionPage-isDeleted", ".AccountDisabled"),
    notice_texts={
        **_UNUSUAL,
        "荒原": ErrorCode.NOT_FOUND,
        "不存在": ErrorCode.NOT_FOUND,
        "已被删除": ErrorCode.NOT_FOUND,
        "已删除": ErrorCode.NOT_FOUND,
        "已注销": ErrorCode.NOT_FOUND,
        "登录": ErrorCode.LOGIN_REQUIRED,
    },
    page_texts={
        **_UNUSUAL,
        "没有知识存在的荒原": ErrorCode.NOT_FOUND,
        "未注册手机验证后自动登录": ErrorCode.LOGIN_REQUIRED,
    },
    boxes={"#captcha, .Unhuman": ErrorCode.CAPTCHA_REQUIRED},
    login_box=".SignContainer-content, .SignFlow, .signFlowModal",
)
