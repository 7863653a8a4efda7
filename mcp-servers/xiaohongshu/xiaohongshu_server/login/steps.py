"""Determines what a login by QR code waits for, and what the user should do next."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from urllib.parse import urlsplit

from dyber_kit.browser.visits import Snapshot
from dyber_kit.times import SHANGHAI

Step = Literal["scan", "confirm", "sms_code", "captcha", "second_code", "expired", "failed"]
PROOFS: dict[Step, str] = {
    "sms_code": "短信验证码",
    "captcha": "滑块或图形验证",
    "second_code": "用已登录该账号的 App 再扫一个验证身份的二维码",
}
_HEADLESS_ADVICE = (
    "请用户在自己的浏览器里登录小红书并完成这一步，再由管理员导入 Cookie 或改用自己的浏览器"
    "（小红书服务 README “先登录”的 2、3）；手机上显示已登录不算数"
)
_ATTACHED_ADVICE = "请用户到自己的浏览器里，在打开的小红书标签页中完成这一步"
_CAPTCHA_TEXTS = ("滑块", "拖动", "点击验证", "请通过验证", "安全验证")


def step_of(snapshot: Snapshot, code_status: object, captcha: bool) -> Step:
    """Return what the login page waits for.

    Args:
        snapshot: The state of the login page.
        code_status: The site's last status of the code: 0 not scanned, 1 scanned, 2 confirmed, 3 expired.
        captcha: Whether one of the page's calls met a captcha.
    """
    text = snapshot["text"]
    if urlsplit(snapshot["url"]).path.startswith("/website-login/captcha"):
        if "扫码" in text:
            return "second_code"
        return "sms_code" if snapshot["code_input"] or "短信" in text else "captcha"
    # The login box with the code also has a field for the login by telephone number.
    if not snapshot["qr"]:
        if snapshot["code_input"]:
            return "sms_code"
        if any(word in text for word in _CAPTCHA_TEXTS):
            return "captcha"
    if captcha:
        return "captcha"
    if code_status == 3:
        return "expired"
    return "confirm" if code_status in (1, 2) else "scan"


def advice(step: Step, expires_at: datetime, attached: bool) -> str:
    """Return what to do while a login is at `step`, in Chinese.

    Args:
        step: The step of the login.
        expires_at: The time when the code becomes invalid.
        attached: Whether the page is in the user's own browser.
    """
    until = f"{expires_at.astimezone(SHANGHAI):%H:%M:%S}（北京时间）"
    if step in PROOFS:
        return f"小红书还要求：{PROOFS[step]}。{_ATTACHED_ADVICE if attached else _HEADLESS_ADVICE}。{until}前有效"
    match step:
        case "scan":
            return f"二维码等待扫描，{until}过期：请用户扫码，十几秒后再查；不要重新获取，否则这个二维码作废"
        case "confirm":
            return f"已扫码：请用户在手机上点“确认登录”，{until}前有效；不要重新获取二维码"
        case "expired":
            return "二维码没有及时扫描，已过期：请再调用 xhs_login_qrcode 获取新的"
    return "登录页面中途出错：请再调用 xhs_login_qrcode 获取新的二维码"
