"""Stands in for xiaohongshu.com: it has the same paths, state objects and walls, with invented data.

Keywords and note ids select the behaviour; see `SEARCHES` and `xiaohongshu_data`. A guest logs in by a QR code, which
`POST /stand-in/scan` scans. Run it with `python -m tests.stand_in.platforms.xiaohongshu.site --port N`; HOST sets the address.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.stand_in.platforms.xiaohongshu import data
from tests.stand_in.platforms.xiaohongshu.html import NOTE_BODY, config, filter_panel, logged_in, member, page
from tests.stand_in.platforms.xiaohongshu.login import PROOFS, login_routes
from tests.stand_in.platforms.xiaohongshu.writing import write_routes

# Behaviour of the search page by keyword; any other keyword is an ordinary search.
SEARCHES: dict[str, dict[str, Any]] = {
    "慢": {"delay_ms": 1500},
    "空": {"empty": True},
    "登录墙": {"wall": "login"},
    "验证码": {"api_status": 461},
    "频繁": {"wall": "rate"},
    "卡住": {"never": True},
    "改版": {"no_state": True},
    "故障": {"page_status": 503},
    "跳转验证": {"redirect": "/website-login/captcha?redirectPath=x"},
    "受限": {"redirect": "/website-login/error?error_code=300011&error_msg=账号异常"},
    "封禁": {"api_code": 300012},
    "没有权限": {"api_code": -104},
    "陌生代码": {"api_code": -9999},
    "接口故障": {"api_status": 502},
    "接口断线": {"cut_off": True},
    "裸引用": {"plain": True},
    "旧状态": {"old_keyword": "别的", "old_feeds": [data.feed_item(40, "别的")], "delay_ms": 600},
    "无筛选": {"no_filters": True},
    "少": {"total": 3},
}
# The kinds of results; a click on the last lists users.
SEARCH_TABS = (
    "<div id='search-type'>"
    + "".join(
        f"<div id='{name}' class='channel'>{label}</div>"
        for name, label in (("all", "全部"), ("image", "图文"), ("video", "视频"), ("user", "用户"))
    )
    + "</div>"
)
_WALL_TEXT = {"login": "登录后查看搜索结果", "rate": "访问频次异常，请勿频繁操作或重启试试"}
ENGLISH = "<h1>Sorry, This Page Isn\u2019t Available Right Now.</h1><p>Open the app and scan to see this note</p>"


def refusal(code: int) -> Response:
    """Return the refusal of a data call: HTTP 200 with a code and the site's message."""
    return JSONResponse({"success": False, "code": code, "msg": data.REFUSALS[code], "data": {}})


async def search_page(request: Request) -> Response:
    """Serve the page of search results; its script fills the state with a data call."""
    request.app.state.pages.append(str(request.url))
    keyword = request.query_params.get("keyword", "")
    switch = SEARCHES.get(keyword, {})
    if redirect := switch.get("redirect"):
        return RedirectResponse(redirect, 302)
    if switch.get("no_state"):
        return page("", "<main>全新的页面</main>")
    if status := switch.get("page_status"):
        return page("", "upstream", status)
    panel = "" if switch.get("no_filters") else filter_panel()
    body = f"<input id='search-input'>{SEARCH_TABS}{panel}<div id='cards'></div>"
    if wall := switch.get("wall"):
        if wall == "login" and logged_in(request):
            return page(config(kind="search", keyword=keyword), body)
        box = "login-container" if wall == "login" else "notice"
        return page(config(kind="none"), f"<div class='{box}'>{_WALL_TEXT[wall]}</div>")
    return page(config(kind="search", keyword=keyword, **switch), body)


async def search_call(request: Request) -> Response:
    """Answer POST /api/sns/web/v1/search/notes, which the page calls."""
    body = await request.json()
    keyword, number = body["keyword"], body["page"]
    request.app.state.searches.append(body)
    switch = SEARCHES.get(keyword, {})
    if status := switch.get("api_status"):
        return JSONResponse({"success": False}, status, headers={"Verifytype": "102", "Verifyuuid": "u"})
    if code := switch.get("api_code"):
        return refusal(code)
    if switch.get("cut_off"):
        return Response("{}", headers={"content-length": "1000"})
    total = switch.get("total", data.SEARCH_TOTAL)
    first = (number - 1) * data.SEARCH_PAGE
    last = min(first + data.SEARCH_PAGE, total)
    chosen = [tag for entry in body["filters"] for tag in entry["tags"]]
    empty = switch.get("empty") or "附近" in chosen
    items = [] if empty else [data.feed_item(index, keyword, chosen) for index in range(first, last)]
    if items and number == 1:
        items.insert(3, data.other_item(3))
    return JSONResponse(
        {"success": True, "code": 0, "data": {"items": items, "has_more": bool(items) and last < total}}
    )


async def user_search_call(request: Request) -> Response:
    """Answer POST /api/sns/web/v1/search/usersearch, which the page calls when its tab "users" is chosen."""
    search = (await request.json())["search_user_request"]
    start = (search["page"] - 1) * 10
    if search["keyword"] == "用户验证码":
        return JSONResponse({"success": False}, 461, headers={"Verifytype": "102", "Verifyuuid": "u"})
    users = [] if search["keyword"] == "空" else data.search_users(search["keyword"], start, 10)
    more = bool(users) and start + len(users) < data.USERS_TOTAL
    return JSONResponse({"success": True, "code": 0, "data": {"users": users, "has_more": more}})


async def note_page(request: Request) -> Response:
    """Serve a note's page: the note is in the HTML, comments are loaded by data calls while scrolling."""
    request.app.state.pages.append(str(request.url))
    note_id = request.path_params["note_id"]
    if request.query_params.get("xsec_token") != data.TOKEN:
        return RedirectResponse("/404?source=note&error_code=-510001&error_msg=当前笔记暂时无法浏览", 302)
    blocked = {
        data.REMOVED_NOTE: ("not-found-wrapper", "该笔记已被删除"),
        data.PRIVATE_NOTE: ("access-wrapper", "私密笔记，仅作者可见"),
        data.RATE_LIMITED_NOTE: ("error-wrapper", "访问频次异常，请勿频繁操作或重启试试"),
    }.get(note_id)
    if blocked:
        return page(config(kind="none"), f"<div class='{blocked[0]}'>{blocked[1]}</div>")
    if note_id == data.AWAY_NOTE:
        return page(config(kind="none"), f"<div class='access-wrapper'>{ENGLISH}</div>")
    if note_id == data.ENGLISH_NOTE and not request.app.state.seen_english:
        request.app.state.seen_english = True
        return page(config(kind="none"), f"<div class='error-wrapper'>{ENGLISH}</div>")
    if note_id == data.LOGIN_NOTE:
        return page(config(kind="none"), "<div class='login-container'>登录探索更多内容</div>")
    if note_id == data.CAPTCHA_NOTE:
        return page(config(kind="none"), "<div>请通过验证</div>")
    if note_id == data.MISSING_NOTE:
        return page("", "<p>404</p>", 404)
    if note_id == data.REFUSED_NOTE:
        return page("", "", 461)
    note = data.note(note_id)
    values = {"kind": "note", "noteId": note_id, "note": note, "total": int(note["interactInfo"]["commentCount"])}
    values |= {"user": member(request) or {"guest": True}, "loggedIn": logged_in(request)}
    if code := {data.FORBIDDEN_NOTE: -104, data.STRANGE_NOTE: -9999}.get(note_id):
        values["feed_code"] = code
    if note_id == data.SLOW_NOTE:
        values["delay_ms"] = 1500
    if note_id == data.OLD_STATE_NOTE:
        values |= {"old_state": True, "delay_ms": 600}
    body = NOTE_BODY if note_id != data.SHY_NOTE else NOTE_BODY.replace("class='input-box'", "class='closed' hidden")
    return page(config(**values), body, script="note")


async def feed_call(request: Request) -> Response:
    """Answer GET /api/sns/web/v1/feed with the refusal that the request names."""
    return refusal(int(request.query_params["code"]))


async def comment_call(request: Request) -> Response:
    """Answer GET /api/sns/web/v2/comment/page, which the page calls."""
    note_id = request.query_params["note_id"]
    start = int(request.query_params.get("cursor") or 0)
    if note_id == data.COMMENT_WALL_NOTE:
        return JSONResponse({"success": False, "code": -101, "msg": "无登录信息"})
    if note_id == data.GUARDED_NOTE:
        return JSONResponse({"success": False}, 471, headers={"Verifytype": "115", "Verifyuuid": "u"})
    listed = data.comments(note_id, start, data.COMMENT_PAGE)
    end = start + len(listed)
    return JSONResponse(
        {"success": True, "data": {"comments": listed, "cursor": str(end), "has_more": end < data.COMMENT_TOTAL}}
    )


async def reply_call(request: Request) -> Response:
    """Answer GET /api/sns/web/v2/comment/sub/page with more replies to a comment."""
    comment = int(request.query_params["root_comment_id"].removeprefix("comment-"))
    start = int(request.query_params["cursor"])
    listed = data.replies(comment, start, data.REPLY_PAGE)
    end = start + len(listed)
    answer = {"comments": listed, "cursor": str(end), "has_more": end < data.REPLY_TOTAL}
    return JSONResponse({"success": True, "data": answer})


async def user_page(request: Request) -> Response:
    """Serve a profile: its data are in the HTML, notes are loaded by data calls while scrolling."""
    request.app.state.pages.append(str(request.url))
    user_id = request.path_params["user_id"]
    own = user_id == (member(request) or {}).get("userId")
    if request.query_params.get("xsec_token") != data.USER_TOKEN and not own:
        return RedirectResponse("/404?source=user&error_code=-510001&error_msg=用户不存在", 302)
    if user_id == data.CLOSED_USER:
        return page(config(kind="none"), "<div class='blocked-wrapper'>因违规无法查看</div>")
    tab = {"fav": 1, "liked": 2}.get(request.query_params.get("tab", ""), 0)
    total = 0 if user_id == data.EMPTY_USER or (tab and not own) else [data.USER_NOTES, data.FAVORITES][bool(tab)]
    values = {"kind": "user", "userId": user_id, "pageData": data.user_page(user_id), "total": total, "tab": tab}
    return page(config(**values), "")


async def favorites_call(request: Request) -> Response:
    """Answer the calls for the notes that the member collected or liked."""
    if member(request) is None:
        return refusal(-104)
    start = int(request.query_params["cursor"])
    notes = data.favorites(start, 10)
    return JSONResponse({"success": True, "data": {"notes": notes, "has_more": start + len(notes) < data.FAVORITES}})


async def user_posted_call(request: Request) -> Response:
    """Answer GET /api/sns/web/v1/user_posted, which the page calls."""
    start = int(request.query_params["cursor"])
    if request.query_params["user_id"] == data.FORBIDDEN_USER:
        return refusal(-104)
    notes = data.user_notes(request.query_params["user_id"], start, 10)
    return JSONResponse({"success": True, "data": {"notes": notes, "has_more": start + len(notes) < data.USER_NOTES}})


async def explore(request: Request) -> Response:
    """Serve the home page: its feed, its search box, and the logged-in user or the login box."""
    request.app.state.pages.append(str(request.url))
    body = "<input id='search-input'><div id='cards'></div>"
    if user := member(request):
        links = f"<div class='main-container'><a href='/user/profile/{user['userId']}'><span>我</span></a></div>"
        return page(config(kind="home", user=user, loggedIn=True, feed=data.HOME_TOTAL), body + links)
    login = "<div class='login-container'>登录<img class='qrcode-img'></div>"
    values = {"user": {"guest": True}, "loggedIn": False, "feed": data.HOME_TOTAL, "proofs": PROOFS}
    return page(config(kind="home", **values), body + login)


async def home_call(request: Request) -> Response:
    """Answer POST /api/sns/web/v1/homefeed with the next ten items."""
    first = int(request.query_params["page"]) * 10
    items = [data.home_item(index) for index in range(first, first + 10)]
    return JSONResponse({"success": True, "data": {"items": [*items, data.live_item()]}})


async def trending_call(_: Request) -> Response:
    """Answer GET /api/sns/web/v1/search/querytrending with the words under an empty search box."""
    queries = [{"title": f"猜你想搜{index}", "search_word": f"热词{index}"} for index in range(12)]
    return JSONResponse({"success": True, "data": {"title": "猜你想搜", "queries": queries}})


async def recommend_call(request: Request) -> Response:
    """Answer GET /api/sns/web/v1/search/recommend with words that begin with the typed text."""
    typed = request.query_params["keyword"]
    if typed == "验证码":
        return JSONResponse({"success": False}, 461)
    if typed == "陌生代码":
        return refusal(-9999)
    items = [{"text": typed + end, "type": "search"} for end in ("", "推荐", "教程\u200b")]
    return JSONResponse({"success": True, "data": {"sug_items": items}})


async def current_user(request: Request) -> Response:
    """Answer a call that fails for every guest and must not be mistaken for a wall."""
    if user := member(request):
        return JSONResponse({"success": True, "data": {"user_id": user["userId"], "nickname": user["nickname"]}})
    return JSONResponse({"success": False, "code": -101, "msg": "无登录信息"}, 401)


async def short_link(request: Request) -> Response:
    """Redirect like xhslink.com: to a note, a user, or an address to which a short link must not lead."""
    share = f"/discovery/item/{data.NORMAL_NOTE}?xsec_source=app_share&xsec_token="
    target = {
        "note": str(request.base_url).rstrip("/") + share + data.TOKEN.replace("+", "%2B").replace("/", "%2F"),
        "user": f"{str(request.base_url).rstrip('/')}/user/profile/{data.USER}?xsec_token={data.USER_TOKEN}",
        "hop": "/o/note",
        "loop": "/o/loop",
        "away": "http://169.254.169.254/latest/meta-data",
        "home": str(request.base_url),
    }.get(request.path_params["code"])
    return RedirectResponse(target, 307) if target else Response("gone", 404)


async def plain_page(request: Request) -> Response:
    """Serve the page at the end of a redirect."""
    if request.url.path.endswith("/captcha") and request.query_params.get("verifyType") == "124":
        return page(config(kind="none"), "<p>扫码验证身份</p><p>请使用已登录该账号的小红书 App 扫码</p>")
    return page(config(kind="none"), f"<p>{request.url.path}</p>")


def create_site() -> Starlette:
    """Return a new stand-in with an empty state.

    In its state, `searches`, `writes`, `pages` and `sessions` record the requests; `login` is the second proof that it
    requires after a scan, or "refused".
    """
    site = Starlette(
        routes=[
            Route("/search_result", search_page),
            Route("/explore", explore),
            Route("/explore/{note_id}", note_page),
            Route("/discovery/item/{note_id}", note_page),
            Route("/user/profile/{user_id}", user_page),
            Route("/api/sns/web/v1/search/notes", search_call, methods=["POST"]),
            Route("/api/sns/web/v1/search/usersearch", user_search_call, methods=["POST"]),
            Route("/api/sns/web/v1/search/querytrending", trending_call),
            Route("/api/sns/web/v1/search/recommend", recommend_call),
            Route("/api/sns/web/v1/feed", feed_call),
            Route("/api/sns/web/v1/homefeed", home_call, methods=["POST"]),
            Route("/api/sns/web/v1/user_posted", user_posted_call),
            Route("/api/sns/web/v2/note/collect/page", favorites_call),
            Route("/api/sns/web/v1/note/like/page", favorites_call),
            Route("/api/sns/web/v2/comment/page", comment_call),
            Route("/api/sns/web/v2/comment/sub/page", reply_call),
            Route("/api/sns/web/v2/user/me", current_user),
            Route("/o/{code}", short_link),
            Route("/404", plain_page),
            Route("/website-login/{page}", plain_page),
            *login_routes(),
            *write_routes(),
        ]
    )
    site.state.searches = []
    site.state.writes = []
    site.state.sessions = {}
    site.state.pages = []
    site.state.login = None
    site.state.seen_english = False
    return site


app = create_site()


def main() -> None:
    """Serve the stand-in until it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8999)
    arguments = parser.parse_args()
    uvicorn.run(app, host=os.environ.get("HOST", "127.0.0.1"), port=arguments.port, log_level="warning")


if __name__ == "__main__":
    main()
