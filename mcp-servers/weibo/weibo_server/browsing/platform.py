"""Describes the site's pages and data calls."""

from __future__ import annotations

from dyber_kit.browser.platforms import Calls, Layout, Platform

from weibo_server.browsing.walls import WALLS

#: Calls by which the site's pages load their data, by the name that the browser layer gives them.
SHOW, LONG_TEXT, COMMENTS = "/statuses/show", "/statuses/longtext", "/statuses/buildComments"
PROFILE, POSTS, POSTS_WITH_VIDEO = "/profile/info", "/statuses/mymblog", "/profile/getWaterFallContent"
TIMELINE, HOT_WORDS = "/feed/hottimeline", "/side/hotSearch"
MOBILE_LIST, MOBILE_CONFIG = "/container/getIndex", "/config"
CODE_IMAGE, CODE_STATUS = "/v2/qrcode/image", "/v2/qrcode/check"
#: Starts of the paths of calls, by site.
WEB_CALLS, MOBILE_CALLS, LOGIN_CALLS = "/ajax", "/api", "/sso"
DOMAINS = ("weibo.com", "weibo.cn", "sina.com.cn")

PLATFORM = Platform(
    name="weibo",
    walls=WALLS,
    calls=Calls(
        prefixes=(WEB_CALLS, MOBILE_CALLS, LOGIN_CALLS),
        # Pages also make calls that a visit does not need, which may be refused without harm. A needed call that the
        # page made in vain is made again, and then its refusal is reported.
        data=(SHOW, CODE_IMAGE),
        parts=(COMMENTS,),
        counted=tuple(
            name.removeprefix("/")
            for name in (
                SHOW, LONG_TEXT, COMMENTS, PROFILE, POSTS, POSTS_WITH_VIDEO, TIMELINE, HOT_WORDS, MOBILE_LIST,
                MOBILE_CONFIG,
            )
        ),
        # The site's code and its data are side by side.
        content="",
    ),
    layout=Layout(state="", login_code="img[src*='/inf/gen'], img.w-full.h-full"),
    domains=DOMAINS,
    login_cookie="SUB",
)  # fmt: skip
