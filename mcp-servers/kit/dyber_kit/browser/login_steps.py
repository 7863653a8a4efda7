"""Determines what a login by QR code waits for, and what the user should do next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from urllib.parse import urlsplit

from dyber_kit.browser.visits import Paths, Snapshot
from dyber_kit.times import SHANGHAI

#: `scan`: not scanned yet; `confirm`: scanned, to be confirmed on the phone; then the second proofs that the platform
#: may want, and the two ends without a login.
Step = Literal["scan", "confirm", "sms_code", "captcha", "second_code", "expired", "failed"]
#: The second proofs, for people.
PROOFS: dict[Step, str] = {
    "sms_code": "短信验证码",
    "captcha": "滑块或图形验证",
    "second_code": "用已登录该账号的 App 再扫一个验证身份的二维码",
}
_CAPTCHA_TEXTS = ("滑块", "拖动", "点击验证", "请通过验证", "安全验证")


@dataclass(frozen=True)
class LoginPage:
    """Describes how a platform logs users in by QR code; the picture is `Layout.login_code`.

    Attributes:
        path: Path of the page that shows the code to guests.
        origin: Origin of that page, where it is on another site than the platform's `base_url`; else "".
        code_tool: The tool that gets a new code, such as `xhs_login_qrcode`.
        paths: The parts of the page's state that `member` needs.
        member: Returns whether the visitor is logged in, and None while the page does not say; without it, the
            platform's `login_cookie` decides.
        code_call: Name of the call that gets a code, as in `Visit.answers`.
        code_field: Field of its answer with the content of the code.
        status_call: Name of the call that asks whether the code was scanned.
        status_field: Field of its answer with the status.
        statuses: `confirm` or `expired`, by status; any other status is `scan`.
        proof_paths: Starts of the paths of pages that want a second proof.
    """

    path: str
    code_tool: str
    paths: Paths = field(default_factory=dict)
    member: Callable[[Snapshot], bool | None] | None = None
    code_call: str = ""
    code_field: str = "url"
    status_call: str = ""
    status_field: str = "status"
    statuses: Mapping[object, Step] = field(default_factory=dict)
    proof_paths: Sequence[str] = ()
    origin: str = ""

    def step_of(self, snapshot: Snapshot, code_status: object, captcha: bool) -> Step:
        """Return what the login page waits for.

        Args:
            snapshot: The state of the login page.
            code_status: The platform's last status of the code, or None.
            captcha: Whether one of the page's calls met a captcha.
        """
        text = snapshot["text"]
        if urlsplit(snapshot["url"]).path.startswith(tuple(self.proof_paths)):
            if "扫码" in text:
                return "second_code"
            return "sms_code" if snapshot["code_input"] or "短信" in text else "captcha"
        # The login box with the code also has a field for the login by telephone number.
        if not snapshot["qr"]:
            if snapshot["code_input"]:
                return "sms_code"
            if any(word in text for word in _CAPTCHA_TEXTS):
                return "captcha"
        return "captcha" if captcha else self.statuses.get(code_status, "scan")

    def advice(self, title: str, step: Step, expires_at: datetime, attached: bool) -> str:
        """Return what to do while a login is at `step`, in Chinese.

        Args:
            title: The platform's name for people.
            step: The step of the login.
            expires_at: The time when the code becomes invalid.
            attached: Whether the page is in the user's own browser.
        """
        until = f"{expires_at.astimezone(SHANGHAI):%H:%M:%S}（北京时间）"
        if step in PROOFS:
            return f"{title}还要求：{PROOFS[step]}。{_proof_advice(title, attached)}。{until}前有效"
        match step:
            case "scan":
                return f"二维码等待扫描，{until}过期：请用户扫码，十几秒后再查；不要重新获取，否则这个二维码作废"
            case "confirm":
                return f"已扫码：请用户在手机上点“确认登录”，{until}前有效；不要重新获取二维码"
            case "expired":
                return f"二维码没有及时扫描，已过期：请再调用 {self.code_tool} 获取新的"
        return f"登录页面中途出错：请再调用 {self.code_tool} 获取新的二维码"


def _proof_advice(title: str, attached: bool) -> str:
    if attached:
        return f"请用户到自己的浏览器里，在打开的{title}标签页中完成这一步"
    return (
        f"请用户在自己的浏览器里登录{title}并完成这一步，再由管理员导入 Cookie 或改用自己的浏览器"
        f"（{title}服务 README “先登录”的 2、3）；手机上显示已登录不算数"
    )
