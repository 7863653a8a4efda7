"""Describes how the site logs users in by QR code."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from dyber_kit.browser.login_steps import LoginPage
from dyber_kit.browser.visits import Snapshot

from weibo_server.browsing.platform import CODE_IMAGE, CODE_STATUS
from weibo_server.config import WeiboSettings

_SIGN_IN = "/sso/signin"
# Paths on which nobody is logged in yet: the page with the code, the handshake of visitors, and the page for guests.
_GUEST_PATHS = ("/sso", "/visitor", "/newlogin", "/login")


def login_page(settings: WeiboSettings) -> LoginPage:
    """Return the page with the code; after the login it leads to the site."""
    hosts = {urlsplit(url).netloc for url in (settings.base_url, settings.mobile_url)} | {"www.weibo.com"}

    def member(snapshot: Snapshot) -> bool | None:
        parts = urlsplit(snapshot["url"])
        # The site leads members away from this page. It is an answer before the code is loaded, and no wall.
        if snapshot["qr"] or parts.path.startswith(_SIGN_IN):
            return False
        return True if parts.netloc in hosts and not parts.path.startswith(_GUEST_PATHS) else None

    return LoginPage(
        origin=settings.login_url,
        path=f"{_SIGN_IN}?entry=miniblog&source=miniblog&url={quote(settings.base_url, safe='')}%2F",
        code_tool="weibo_login_qrcode",
        status_tool="weibo_login_status",
        member=member,
        code_call=CODE_IMAGE,
        status_call=CODE_STATUS,
        status_field="retcode",
        statuses={50114002: "confirm", 20000000: "confirm", 20000001: "confirm", 50114004: "expired"},
        proof_paths=("/verify", "/captcha", "/protection"),
    )
