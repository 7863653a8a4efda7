"""A stand-in for xiaohongshu.com: same paths, same state objects, same walls. Nothing here is real data.

Keywords and note ids choose the behaviour; see `SEARCHES` and `xiaohongshu_data`.
Run it with `python -m stand_in.xiaohongshu --port N`; HOST sets the address.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from stand_in import xiaohongshu_data as data

_PAGE_SCRIPT = Path(__file__).with_name("xiaohongshu_page.js").read_text(encoding="utf-8")

# keyword -> what the search page does; anything else is an ordinary search
SEARCHES = {
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
    "裸引用": {"plain": True},
}
_WALL_TEXT = {"login": "登录后查看搜索结果", "rate": "访问频次异常，请勿频繁操作或重启试试"}


def _page(script: str, body: str = "", status: int = 200) -> HTMLResponse:
    html = (
        "<!doctype html><html lang='zh-CN'><head><meta charset='utf-8'><title>小红书</title></head>"
        f"<body><div id='app'>{body}</div><script>{script}</script></body></html>"
    )
    return HTMLResponse(html, status_code=status)


def _config(**values: Any) -> str:
    return f"const PAGE = {json.dumps(values, ensure_ascii=False)};\n{_PAGE_SCRIPT}"


def _logged_in(request: Request) -> bool:
    return "web_session" in request.cookies


async def search_page(request: Request) -> Response:
    """The page of search results; fills its state by a call of its own."""
    keyword = request.query_params.get("keyword", "")
    switch = SEARCHES.get(keyword, {})
    if redirect := switch.get("redirect"):
        return RedirectResponse(redirect, 302)
    if switch.get("no_state"):
        return _page("", "<main>全新的页面</main>")
    if status := switch.get("page_status"):
        return _page("", "upstream", status)
    if wall := switch.get("wall"):
        if wall == "login" and _logged_in(request):
            return _page(_config(kind="search", keyword=keyword))
        box = "login-container" if wall == "login" else "notice"
        return _page(_config(kind="none"), f"<div class='{box}'>{_WALL_TEXT[wall]}</div>")
    return _page(_config(kind="search", keyword=keyword, **switch))


async def search_call(request: Request) -> Response:
    """POST /api/sns/web/v1/search/notes, as the page itself calls it."""
    body = await request.json()
    keyword, page = body["keyword"], body["page"]
    switch = SEARCHES.get(keyword, {})
    if status := switch.get("api_status"):
        return JSONResponse({"success": False}, status, headers={"Verifytype": "102", "Verifyuuid": "u"})
    first = (page - 1) * data.SEARCH_PAGE
    last = min(first + data.SEARCH_PAGE, data.SEARCH_TOTAL)
    items = [] if switch.get("empty") else [data.feed_item(index, keyword) for index in range(first, last)]
    if items and page == 1:
        items.insert(3, data.other_item(3))
    more = bool(items) and last < data.SEARCH_TOTAL
    return JSONResponse({"success": True, "code": 0, "data": {"items": items, "has_more": more}})


async def note_page(request: Request) -> Response:
    """A note's page: note in the HTML, comments by calls of its own while scrolling."""
    note_id = request.path_params["note_id"]
    if request.query_params.get("xsec_token") != data.TOKEN:
        return RedirectResponse("/404?source=note&error_code=-510001&error_msg=当前笔记暂时无法浏览", 302)
    blocked = {
        data.REMOVED_NOTE: ("not-found-wrapper", "该笔记已被删除"),
        data.PRIVATE_NOTE: ("access-wrapper", "私密笔记，仅作者可见"),
        data.RATE_LIMITED_NOTE: ("error-wrapper", "访问频次异常，请勿频繁操作或重启试试"),
    }.get(note_id)
    if blocked:
        return _page(_config(kind="none"), f"<div class='{blocked[0]}'>{blocked[1]}</div>")
    if note_id == data.LOGIN_NOTE:
        return _page(_config(kind="none"), "<div class='login-container'>登录探索更多内容</div>")
    if note_id == data.CAPTCHA_NOTE:
        return _page(_config(kind="none"), "<div>请通过验证</div>")
    if note_id == data.MISSING_NOTE:
        return _page("", "<p>404</p>", 404)
    switches = {"delay_ms": 1500} if note_id == data.SLOW_NOTE else {}
    body = "<div class='note-scroller' style='height:200px;overflow:auto'><div class='comments-container'></div></div>"
    note = data.note(note_id)
    total = int(note["interactInfo"]["commentCount"])
    return _page(_config(kind="note", noteId=note_id, note=note, total=total, **switches), body)


async def comment_call(request: Request) -> Response:
    """GET /api/sns/web/v2/comment/page, as the page itself calls it."""
    note_id = request.query_params["note_id"]
    start = int(request.query_params.get("cursor") or 0)
    if note_id == data.COMMENT_WALL_NOTE:
        return JSONResponse({"success": False, "code": -101, "msg": "无登录信息"})
    listed = data.comments(note_id, start, data.COMMENT_PAGE)
    end = start + len(listed)
    return JSONResponse(
        {"success": True, "data": {"comments": listed, "cursor": str(end), "has_more": end < data.COMMENT_TOTAL}}
    )


async def explore(request: Request) -> Response:
    """The home page: tells whether somebody is logged in."""
    if _logged_in(request):
        member = {"guest": False, "userId": "5f" + "0" * 22, "nickname": "测试账号"}
        return _page(_config(kind="home", user=member, loggedIn=True), "<div class='main-container'>我</div>")
    return _page(_config(kind="home", user={"guest": True}, loggedIn=False), "<div class='login-container'>登录</div>")


async def who_am_i(_: Request) -> Response:
    """A call that fails for every guest and must not be taken for a wall."""
    return JSONResponse({"success": False, "code": -101, "msg": "无登录信息"}, 401)


async def plain_page(request: Request) -> Response:
    """Where redirects end."""
    return _page(_config(kind="none"), f"<p>{request.url.path}</p>")


app = Starlette(
    routes=[
        Route("/search_result", search_page),
        Route("/explore", explore),
        Route("/explore/{note_id}", note_page),
        Route("/api/sns/web/v1/search/notes", search_call, methods=["POST"]),
        Route("/api/sns/web/v2/comment/page", comment_call),
        Route("/api/sns/web/v2/user/me", who_am_i),
        Route("/404", plain_page),
        Route("/website-login/{page}", plain_page),
    ]
)


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8999)
    arguments = parser.parse_args()
    uvicorn.run(app, host=os.environ.get("HOST", "127.0.0.1"), port=arguments.port, log_level="warning")


if __name__ == "__main__":
    main()
