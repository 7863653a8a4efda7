"""Describes the site's pages and data calls."""

from __future__ import annotations

from dataclasses import replace

from dyber_kit.browser.login_steps import LoginPage
from dyber_kit.browser.platforms import Calls, Layout, Platform
from dyber_kit.browser.visits import Paths, Snapshot

from douyin_server.browsing.walls import LOGIN_BOX, WALLS

HOT_CALL = "/hot/search/list"
DETAIL_CALL = "/aweme/detail"
COMMENTS_CALL = "/comment/list"
PROFILE_CALL = "/user/profile/other"
POSTS_CALL = "/aweme/post"
SELF_CALL = "/user/profile/self"
#: The calls that answer a search; which of them the page makes depends on its release and on the tab.
SEARCH_CALLS = ("/general/search/single", "/general/search/stream", "/search/item")
#: The site keeps in the page's storage whether a user is logged in.
LOGIN_FLAG: Paths = {"login": ["HasUserLogin"]}
DOMAINS = ("douyin.com", "iesdouyin.com")

PLATFORM = Platform(
    name="douyin",
    walls=WALLS,
    calls=Calls(
        prefixes=("/aweme/v1/web",),
        # The answers to searches are read by `SearchAnswers`, since some of them are streams.
        data=(HOT_CALL, DETAIL_CALL, PROFILE_CALL, POSTS_CALL),
        parts=(COMMENTS_CALL,),
        counted=(
            "hot/search/list", "aweme/detail", "comment/list", "user/profile/other", "user/profile/self", "aweme/post",
            "general/search/single", "general/search/stream", "search/item",
        ),
        content="",
    ),
    layout=Layout(
        state="localStorage",
        marks={"login": LOGIN_BOX},
        scroller=".parent-route-container, .route-scroll-container",
        login_code="#animate_qrcode_container img",
    ),
    domains=DOMAINS,
    login_cookie="sessionid",
)  # fmt: skip
#: The site for pages that guests may see: the login box over such a page is not a refusal by itself.
OPEN_PLATFORM = replace(PLATFORM, walls=replace(WALLS, login_box=""))


def is_member(snapshot: Snapshot) -> bool | None:
    """Return whether a user is logged in; None while the page does not say."""
    return {"1": True, "0": False}.get(str(snapshot["state"]["login"]))


def _starts_as_member(snapshot: Snapshot) -> bool | None:
    """Return whether a user is logged in; a page that has loaded without saying so is a guest's."""
    member = is_member(snapshot)
    return False if member is None and snapshot["complete"] else member


LOGIN = LoginPage(
    path="/",
    code_tool="douyin_login_qrcode",
    status_tool="douyin_login_status",
    paths=LOGIN_FLAG,
    member=_starts_as_member,
    opener=":is(p, span, button):text-is('登录')",
)
