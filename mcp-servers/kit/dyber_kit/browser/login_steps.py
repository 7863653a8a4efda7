"""Determines what a login by QR code waits for, and what the user should do next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from urllib.parse import urlsplit

from dyber_kit.browser.visits import Paths, Snapshot
from dyber_kit.language import Text, tr, tr_lazy
from dyber_kit.times import SHANGHAI

#: `scan`: not scanned yet; `confirm`: scanned, to be confirmed on the phone; then the second proofs that the platform
#: may want, and the two ends without a login.
Step = Literal["scan", "confirm", "sms_code", "captcha", "second_code", "expired", "failed"]
#: The second proofs, for people.
PROOFS: dict[Step, Text] = {
    "sms_code": tr_lazy("a code in a text message"),
    "captcha": tr_lazy("a slider or a picture puzzle"),
    "second_code": tr_lazy("the scan of another QR code, which proves who you are, with the App of this account"),
}
#: Words on the pages of platforms.
_SCAN_WORD, _SMS_WORD = "扫码", "短信"
_CAPTCHA_WORDS = ("滑块", "拖动", "点击验证", "请通过验证", "安全验证")


def scan_step(app: Text | str, code_tool: str) -> Text:
    """Return the next step where a login is required, for `Walls.login_step`.

    Args:
        app: The name of the phone's app that scans codes.
        code_tool: The tool that gets a code.
    """
    return tr_lazy(
        "Call {tool} (not again while a code waits to be scanned) and have the user scan the code with the {app} app "
        "on a phone, preferably with a separate account; or the operator imports cookies, see “Log in first” in the "
        "README of this service",
        tool=code_tool,
        app=app,
    )


@dataclass(frozen=True)
class LoginPage:
    """Describes how a platform logs users in by QR code; the picture is `Layout.login_code`.

    Attributes:
        path: Path of the page that shows the code to guests.
        origin: Origin of that page, where it is on another site than the platform's `base_url`; else "".
        code_tool: The tool that gets a new code, such as `xhs_login_qrcode`.
        status_tool: The tool that tells how far a login is, such as `xhs_login_status`.
        app: The name of the phone's app where it is not the platform's own; else "".
        paths: The parts of the page's state that `member` needs.
        member: Returns whether the visitor is logged in, and None while the page does not say; without it, a member is
            who has the platform's `login_cookie` and is shown no code and no login box.
        opener: Selector of what guests click to see the code, on pages that do not always show it unasked.
        code_call: Name of the call that gets a code, as in `Visit.answers`.
        code_field: Field of its answer with the content of the code.
        status_call: End of the name of the call that asks whether the code was scanned.
        status_field: Field of its answer with the status.
        statuses: `confirm` or `expired`, by status; any other status is `scan`.
        proof_paths: Starts of the paths of pages that want a second proof.
    """

    path: str
    code_tool: str
    status_tool: str
    app: Text | str = ""
    paths: Paths = field(default_factory=dict)
    member: Callable[[Snapshot], bool | None] | None = None
    opener: str = ""
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
            if _SCAN_WORD in text:
                return "second_code"
            return "sms_code" if snapshot["code_input"] or _SMS_WORD in text else "captcha"
        # The login box with the code also has a field for the login by telephone number.
        if not snapshot["qr"]:
            if snapshot["code_input"]:
                return "sms_code"
            if any(word in text for word in _CAPTCHA_WORDS):
                return "captcha"
        return "captcha" if captcha else self.statuses.get(code_status, "scan")

    def advice(self, title: Text | str, step: Step, expires_at: datetime, attached: bool) -> str:
        """Return what to do while a login is at `step`, in the language of the current request.

        Args:
            title: The platform's name for people.
            step: The step of the login.
            expires_at: The time when the code becomes invalid.
            attached: Whether the page is in the user's own browser.
        """
        until = f"{expires_at.astimezone(SHANGHAI):%H:%M:%S}"
        if step in PROOFS:
            return tr(
                "{title} also asks for: {proof}. {advice}. This is valid until {until} (China Standard Time)",
                title=title,
                proof=PROOFS[step],
                advice=_proof_advice(title, attached),
                until=until,
            )
        match step:
            case "scan":
                return tr(
                    "The QR code waits for its scan and expires at {until} (China Standard Time): have the user scan "
                    "it, and look again after some ten seconds; do not get another one, which would make it void",
                    until=until,
                )
            case "confirm":
                return tr(
                    "The code was scanned: have the user confirm the login on the phone until {until} (China Standard "
                    "Time); do not get another code",
                    until=until,
                )
            case "expired":
                return tr(
                    "The code was not scanned in time and has expired: call {tool} again for a new one",
                    tool=self.code_tool,
                )
        return tr("The login page failed on the way: call {tool} again for a new code", tool=self.code_tool)


def _proof_advice(title: Text | str, attached: bool) -> str:
    if attached:
        return tr("Have the user do this in their own browser, in the tab of {title} that is open", title=title)
    return tr(
        "Have the user log in to {title} in their own browser and do this there; then the operator imports the cookies "
        "or uses that browser (README of the service for {title}, “Log in first”, 2 and 3); a login that only the "
        "phone shows does not count",
        title=title,
    )
