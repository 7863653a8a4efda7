"""Describes the site's pages and data calls, and its login by QR code."""

from __future__ import annotations

from urllib.parse import urlsplit

from dyber_kit.browser.login_steps import LoginPage
from dyber_kit.browser.platforms import Calls, Layout, Platform
from dyber_kit.browser.visits import Snapshot

from bilibili_server.browsing.walls import WALLS
from bilibili_server.config import SiteSettings

LOGIN_COOKIE = "SESSDATA"
NAV_CALL = "/web-interface/nav"
POPULAR_CALL, RANKING_CALL = "/web-interface/popular", "/web-interface/ranking/v2"
#: Names under which the pages make a call; the site has moved several of them to another path.
SEARCH_CALLS = ("/web-interface/wbi/search/type", "/web-interface/search/type")
PLAYER_CALLS = ("/player/wbi/v2", "/player/v2")
COMMENT_CALLS = ("/v2/reply/wbi/main", "/v2/reply/main")
PROFILE_CALLS = ("/space/wbi/acc/info", "/space/acc/info")
UPLOAD_CALLS = ("/space/wbi/arc/search", "/space/arc/search")
RELATION_CALL = "/relation/stat"
#: Starts of the paths on which nobody is logged in yet: the page with the code, and that of a second proof.
_LOGIN_PATH, _PROOF_PATH = "/login", "/h5-app/passport"
CODE_CALL, CODE_STATUS_CALL = "/passport-login/web/qrcode/generate", "/passport-login/web/qrcode/poll"

PLATFORM = Platform(
    name="bilibili",
    walls=WALLS,
    calls=Calls(
        prefixes=("/x",),
        data=(POPULAR_CALL, RANKING_CALL, *SEARCH_CALLS, *PROFILE_CALLS, *UPLOAD_CALLS, CODE_CALL),
        parts=COMMENT_CALLS,
        counted=(
            "web-interface/popular", "ranking/v2", "search/type", "reply/wbi/main", "reply/main", "player/wbi/v2",
            "player/v2", "acc/info", "arc/search", "relation/stat", "web-interface/nav", "qrcode/generate",
            "qrcode/poll",
        ),
    ),
    # Video pages and pages of results have their states in different variables, so paths start at the window.
    layout=Layout(state="window", login_code=".login-scan-box img, [class*='login-scan'] img"),
    domains=("bilibili.com",),
    login_cookie=LOGIN_COOKIE,
)  # fmt: skip


def login_page(settings: SiteSettings) -> LoginPage:
    """Return the login page, which is on an origin of its own.

    It leads members to the site. A session that the site has ended still has its cookie, so the cookie does not count.
    """
    origin = settings.origin("passport")

    def member(snapshot: Snapshot) -> bool | None:
        if snapshot["qr"]:
            return False
        parts = urlsplit(snapshot["url"])
        host = parts.hostname or ""
        of_site = host == urlsplit(origin).hostname or any(f".{host}".endswith(f".{name}") for name in PLATFORM.domains)
        return True if of_site and not parts.path.startswith((_LOGIN_PATH, _PROOF_PATH)) else None

    return LoginPage(
        origin=origin,
        path=_LOGIN_PATH,
        member=member,
        code_tool="bilibili_login_qrcode",
        status_tool="bilibili_login_status",
        app="哔哩哔哩",
        code_call=CODE_CALL,
        status_call=CODE_STATUS_CALL,
        status_field="code",
        # 86101: not scanned, 86090: scanned, 86038: expired, 0: confirmed.
        statuses={86090: "confirm", 0: "confirm", 86038: "expired"},
        proof_paths=(f"{_PROOF_PATH}/risk",),
    )
