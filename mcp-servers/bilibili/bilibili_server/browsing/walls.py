"""Holds the signs of the site's refusals, each with its error code."""

from __future__ import annotations

from dyber_kit import ErrorCode
from dyber_kit.browser.login_steps import scan_step
from dyber_kit.browser.walls import COMMON_STATUSES, COMMON_TEXTS, Refusal, Walls

#: What to do where a login is required.
LOGIN_STEP = scan_step("哔哩哔哩", "bilibili_login_qrcode")
#: The site takes the visitor for a program. It wants a check that only a person may pass, in a browser of theirs.
RISK = Refusal(ErrorCode.ACCESS_RESTRICTED, whole_account=True)
#: The comments of a video are closed.
CLOSED_COMMENTS = ("12002", "12061")

WALLS = Walls(
    title="B站",
    login_step=LOGIN_STEP,
    statuses={**COMMON_STATUSES, 412: ErrorCode.RATE_LIMITED},
    codes={
        "-101": ErrorCode.LOGIN_REQUIRED,
        "-102": Refusal(ErrorCode.ACCESS_RESTRICTED, whole_account=True),
        "-105": ErrorCode.CAPTCHA_REQUIRED,
        "-352": RISK,
        "-401": RISK,
        "-403": ErrorCode.ACCESS_RESTRICTED,
        "-404": ErrorCode.NOT_FOUND,
        "-412": ErrorCode.RATE_LIMITED,
        "-509": ErrorCode.RATE_LIMITED,
        "-626": ErrorCode.NOT_FOUND,
        "-799": ErrorCode.RATE_LIMITED,
        "404": ErrorCode.NOT_FOUND,
        "62002": ErrorCode.NOT_FOUND,
        "62003": ErrorCode.NOT_FOUND,
        "62004": ErrorCode.NOT_FOUND,
        "62012": ErrorCode.ACCESS_RESTRICTED,
        **dict.fromkeys(CLOSED_COMMENTS, ErrorCode.ACCESS_RESTRICTED),
    },
    message_fields=("message", "msg"),
    call_texts={**COMMON_TEXTS, "风控": RISK, "账号未登录": ErrorCode.LOGIN_REQUIRED},
    titles={"视频去哪了": ErrorCode.NOT_FOUND, "验证码_哔哩哔哩": ErrorCode.CAPTCHA_REQUIRED},
    page_texts={
        "安全风控策略": ErrorCode.RATE_LIMITED,
        "视频不见了": ErrorCode.NOT_FOUND,
        "视频去哪了": ErrorCode.NOT_FOUND,
        "登录后查看更多": ErrorCode.LOGIN_REQUIRED,
        "请先登录": ErrorCode.LOGIN_REQUIRED,
    },
    boxes={".geetest_panel": ErrorCode.CAPTCHA_REQUIRED, ".geetest_box_wrap": ErrorCode.CAPTCHA_REQUIRED},
    login_box=".bili-mini-mask, .login-scan-box",
)
