"""Describes how the site logs users in by QR code."""

from __future__ import annotations

from dyber_kit.browser.login_steps import LoginPage
from dyber_kit.browser.visits import Snapshot

from xiaohongshu_server.model.references import home_url
from xiaohongshu_server.reading.reader import ME, visitor_of


def _member(snapshot: Snapshot) -> bool | None:
    visitor = visitor_of(snapshot)
    return None if visitor is None else visitor[0] is not None


LOGIN = LoginPage(
    path=home_url(""),
    code_tool="xhs_login_qrcode",
    status_tool="xhs_login_status",
    paths=ME,
    member=_member,
    code_call="/v1/login/qrcode/create",
    status_call="/v1/login/qrcode/status",
    status_field="code_status",
    # The site's status is 0 before the scan, 1 after it, 2 when confirmed, and 3 when expired.
    statuses={1: "confirm", 2: "confirm", 3: "expired"},
    proof_paths=("/website-login/captcha",),
)
