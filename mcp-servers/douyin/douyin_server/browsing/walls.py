"""Holds the signs of the site's refusals, each with its error code."""

from __future__ import annotations

from dyber_kit import ErrorCode
from dyber_kit.browser.login_steps import scan_step
from dyber_kit.browser.walls import COMMON_STATUSES, COMMON_TEXTS, Walls

#: The boxes that ask guests to log in. They also cover pages whose data guests may see.
LOGIN_BOX = "#login-panel-new, #douyin-login-new-id, [id^='login-full-panel'], [id^='douyin_login_comp']"
_CAPTCHA_BOXES = ("#captcha-verify-image", "#captcha_container", "#captcha-verify_container")

WALLS = Walls(
    title="抖音",
    login_step=scan_step("抖音", "douyin_login_qrcode"),
    statuses=COMMON_STATUSES,
    codes={"8": ErrorCode.LOGIN_REQUIRED},
    code_fields=("status_code",),
    message_fields=("status_msg", "message"),
    # The site answers restricted calls with an empty body or with the word "blocked".
    json_required=True,
    call_texts={**COMMON_TEXTS, "登录": ErrorCode.LOGIN_REQUIRED, "验证": ErrorCode.CAPTCHA_REQUIRED},
    titles={"验证码中间页": ErrorCode.CAPTCHA_REQUIRED},
    page_texts={
        "访问过于频繁": ErrorCode.RATE_LIMITED,
        "访问太频繁": ErrorCode.RATE_LIMITED,
        "视频不存在": ErrorCode.NOT_FOUND,
        "作品不存在": ErrorCode.NOT_FOUND,
        "用户不存在": ErrorCode.NOT_FOUND,
        "页面不存在": ErrorCode.NOT_FOUND,
    },
    boxes=dict.fromkeys(_CAPTCHA_BOXES, ErrorCode.CAPTCHA_REQUIRED),
    login_box=LOGIN_BOX,
)
