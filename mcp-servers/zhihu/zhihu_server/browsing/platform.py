"""Describes the site's pages and data calls, and its login page."""

from __future__ import annotations

from urllib.parse import urlsplit

from dyber_kit.browser.login_steps import LoginPage
from dyber_kit.browser.platforms import Calls, Layout, Platform
from dyber_kit.browser.visits import Snapshot

from zhihu_server.browsing.walls import WALLS

SEARCH_CALL = "/search_v3"
HOT_CALL = "/feed/topstory/hot-lists/total"
ME_CALL = "/me"
COMMENTS_CALL = "/root_comment"
_CODE_CALL = "/account/api/login/qrcode"

PLATFORM = Platform(
    name="zhihu",
    walls=WALLS,
    calls=Calls(
        prefixes=("/api/v4", "/api/v3"),
        data=(SEARCH_CALL, HOT_CALL, "/feeds", "/answers", "/articles", _CODE_CALL),
        parts=(COMMENTS_CALL,),
        counted=("search_v3", "hot-lists/total", "feeds", "answers", "articles", "root_comment", "me", "login/qrcode"),
        # Lists are in `data`, and whether they end in `paging`: the whole answer is needed.
        content="",
    ),
    layout=Layout(
        state="script#js-initialData",
        marks={"end": ".List-end, .Comments-end"},
        login_code="canvas.Qrcode-qrcode, .Qrcode-img canvas, .Qrcode-img img",
    ),
    domains=("zhihu.com",),
    login_cookie="z_c0",
)
_LOGIN_PATH = "/signin"
# Pages for second proofs are below the first of these.
_GUEST_PATHS = ("/account/", _LOGIN_PATH, "/signup")


def is_member(snapshot: Snapshot) -> bool | None:
    """Return whether the visitor of the login page is logged in; the site sends members on to another page.

    A session that the site has ended still has its cookie, so the cookie tells nothing.
    """
    path = urlsplit(snapshot["url"]).path
    if path.startswith(_LOGIN_PATH):
        return False if snapshot["qr"] or snapshot["login_box"] or snapshot["complete"] else None
    if path.startswith(_GUEST_PATHS) or snapshot["login_box"] or not snapshot["has_state"]:
        return None
    return True


LOGIN = LoginPage(
    path=_LOGIN_PATH,
    member=is_member,
    code_tool="zhihu_login_qrcode",
    status_tool="zhihu_status",
    code_call=_CODE_CALL,
    code_field="link",
    status_call="/scan_info",
    statuses={1: "confirm"},
    proof_paths=("/account/unhuman",),
)
