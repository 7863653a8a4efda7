"""Holds the signs of the website's refusals, each with its error code."""

from __future__ import annotations

from dyber_kit import ErrorCode
from dyber_kit.browser.login_steps import scan_step
from dyber_kit.browser.walls import COMMON_STATUSES, Refusal, Walls

LOGIN_TOOL = "sample_browser_login_qrcode"

WALLS = Walls(
    title="示例网站",
    login_step=scan_step("示例网站", LOGIN_TOOL),
    # After this status, the account opens no page for an hour.
    statuses={**COMMON_STATUSES, 432: Refusal(ErrorCode.RATE_LIMITED, pause=3600)},
    codes={
        "101": ErrorCode.LOGIN_REQUIRED,
        "-352": Refusal(ErrorCode.ACCESS_RESTRICTED, whole_account=True),
    },
    addresses={"/account/verify": ErrorCode.CAPTCHA_REQUIRED},
    notices=(".gone",),
    notice_texts={"已删除": ErrorCode.NOT_FOUND},
    boxes={"#captcha": ErrorCode.CAPTCHA_REQUIRED},
    login_box=".login",
)
