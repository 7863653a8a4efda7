"""Describes the site's pages and data calls."""

from __future__ import annotations

from dyber_kit.browser.platforms import Calls, Layout, Platform

from xiaohongshu_server.browsing.walls import WALLS
from xiaohongshu_server.model.references import LOGIN_COOKIE, PLATFORM_DOMAINS

PLATFORM = Platform(
    name="xiaohongshu",
    walls=WALLS,
    calls=Calls(
        prefixes=("/api/sns/web",),
        data=(
            "/search/notes", "/search/usersearch", "/feed", "/homefeed", "/user_posted", "/note/collect/page",
            "/note/like/page", "/user/otherinfo", "/login/qrcode/create",
        ),
        parts=("/v2/comment/page",),
        counted=(
            "search/notes", "search/usersearch", "search/recommend", "search/querytrending", "homefeed", "feed",
            "user_posted", "note/collect/page", "note/like/page",
            "user/otherinfo", "user/me", "comment/page", "comment/sub/page", "comment/post", "note/like",
            "note/collect",
        ),
    ),
    layout=Layout(
        marks={"no_comments": ".no-comments-text", "end": ".end-container"},
        scroller=".note-scroller",
        login_code=".login-container .qrcode-img",
    ),
    domains=PLATFORM_DOMAINS,
    login_cookie=LOGIN_COOKIE,
)  # fmt: skip
