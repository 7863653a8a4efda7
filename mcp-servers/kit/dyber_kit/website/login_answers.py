"""Defines what the login tools of every platform answer; a service adds what only its platform has.

    class LoginStatus(LoginState, Answer):
        user_id: str | None = None

These classes have fields only, so that the service's `Answer` decides how answers are written.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from dyber_kit.browser.login_steps import Step
from dyber_kit.errors import ErrorCode

#: Why a platform refuses the requests of an account.
Risk = Literal["ok", "captcha", "limited", "restricted"]
#: The errors that stand for such a reason.
RISKS: dict[ErrorCode, Risk] = {
    ErrorCode.CAPTCHA_REQUIRED: "captcha",
    ErrorCode.RATE_LIMITED: "limited",
    ErrorCode.ACCESS_RESTRICTED: "restricted",
}


class LoginState(BaseModel):
    """Reports whether an account's browser is logged in; `logged_in` has no value while that is unknown.

    `risk` is the reason why the platform refuses requests; until `paused_until` no page is opened. `login_step` is the
    step that a login by QR code waits for, or how it ended.
    """

    account: str
    logged_in: bool | None = None
    nickname: str | None = None
    session_age_s: int | None = None
    login_pending: bool = False
    login_step: Step | None = None
    login_expires_at: str | None = None
    risk: Risk = "ok"
    paused_until: str | None = None
    next_step: str | None = None


class LoginQrCode(BaseModel):
    """Describes a QR code to scan with the phone's app; its picture and drawing are separate parts of the result.

    `url` is the content of the code, for clients that can only show an address. `replaced` is true when an earlier code
    became invalid.
    """

    account: str
    logged_in: bool
    url: str | None = None
    replaced: bool = False
    expires_at: str | None = None
    next_step: str
