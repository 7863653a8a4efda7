"""Describes the website to the browser layer: its data calls, its pages and its login."""

from __future__ import annotations

from dyber_kit.browser.login_steps import LoginPage
from dyber_kit.browser.platforms import Calls, Layout, Platform

from sample_browser_server.walls import LOGIN_TOOL, WALLS

#: Calls of the page of posts: one that answers with posts, and one that tells who the visitor is.
POSTS_CALL, VISITOR_CALL = "/v1/posts", "/v1/me"
POSTS_PATH = "/posts"

PLATFORM = Platform(
    name="sample-browser",
    walls=WALLS,
    calls=Calls(
        prefixes=("/data",),
        data=(POSTS_CALL, VISITOR_CALL, "/v1/login/create"),
        counted=("posts", "me", "login/create", "login/status"),
    ),
    # This website keeps no state in its pages: the data is in the answers to the page's own calls.
    layout=Layout(state="", marks={"end": "#end"}, login_code="#code"),
    domains=("example.invalid",),
    login_cookie="member",
)
LOGIN = LoginPage(
    path="/login",
    code_tool=LOGIN_TOOL,
    status_tool="sample_browser_login_status",
    code_call="/v1/login/create",
    status_call="/v1/login/status",
    statuses={1: "confirm", 2: "confirm", 3: "expired"},
)
