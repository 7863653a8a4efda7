"""Holds the signs of the website's refusals, each with its error code."""

from __future__ import annotations

from dyber_kit import ErrorCode
from dyber_kit.browser.walls import COMMON_STATUSES, Refusal, Walls

from sample_browser_server.texts import tr_lazy

LOGIN_TOOL = "sample_browser_login_qrcode"
LOGIN_STEP = tr_lazy("Call {tool}, and have the user scan the code with the website's App", tool=LOGIN_TOOL)

WALLS = Walls(
    title="示例网站",
    login_step=LOGIN_STEP,
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
