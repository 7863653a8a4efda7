"""Stands in for the website in tests: posts that load while scrolling, refusals, and a login by QR code.

`python -m sample_browser_stand_in --port 8100` runs it alone. `state.case` of the application is the refusal to show,
and `state.scanned` tells whether the QR code was scanned and confirmed.
"""

from __future__ import annotations

import argparse

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.stand_in.platforms.xiaohongshu.login import picture

TOTAL, PAGE = 25, 10
COOKIE = "member"
#: Refusals of the call for posts, by case: HTTP status and body.
REFUSED_CALLS: dict[str, tuple[int, object]] = {
    "limited": (432, None),
    "login": (200, {"code": 101, "msg": "请先登录"}),
    "unknown": (200, {"code": -4711, "msg": "今日客满"}),
    "changed": (200, {"code": 0, "data": {"posts": [{"title": "without an id"}]}}),
}
#: Pages that take the place of the posts.
NOTICES = {"deleted": "<div class='gone'>内容已删除</div>", "captcha": "<div id='captcha'>请拖动滑块</div>"}

_POSTS = """
const list = document.querySelector("#list"), end = document.querySelector("#end");
let count = 0;
const load = async () => {
  const answer = await (await fetch(`/data/v1/posts?start=${count}`)).json();
  count += answer.data.posts.length;
  end.hidden = answer.data.more;
  list.style.height = `${count * 300}px`;
};
fetch("/data/v1/me");
let loading = load();
addEventListener("scroll", () => { loading = loading.then(() => end.hidden && load()); });
"""
_LOGIN = """
fetch("/data/v1/login/create", {method: "POST"}).then((answer) => answer.json()).then(({data}) => {
  document.querySelector("#code").src = data.picture;
});
setInterval(async () => {
  const {data} = await (await fetch("/data/v1/login/status")).json();
  if (data.status === 2) location.href = "/posts";
}, 100);
"""


def _page(body: str, script: str = "") -> HTMLResponse:
    return HTMLResponse(f"<!doctype html><meta charset=utf-8><body>{body}<script>{script}</script>")


async def posts(request: Request) -> Response:
    """Serve the page of posts, or what the case shows in its place."""
    case = request.app.state.case
    if case == "redirect":
        return RedirectResponse("/account/verify", 302)
    return _page(NOTICES[case]) if case in NOTICES else _page("<div id='list'></div><p id='end' hidden>END</p>", _POSTS)


async def posts_call(request: Request) -> Response:
    """Answer the page's call for posts."""
    if refused := REFUSED_CALLS.get(request.app.state.case):
        status, body = refused
        return Response(status_code=status) if body is None else JSONResponse(body, status)
    start = int(request.query_params["start"])
    numbers = range(start, min(start + PAGE, TOTAL))
    sent = [
        {"id": number, "text": f"<b>第 {number} 条</b>", "author": "测试", "likes": "1.2万", "time": "2026-01-05 08:00"}
        for number in numbers
    ]
    return JSONResponse({"code": 0, "data": {"posts": sent, "more": start + PAGE < TOTAL}})


async def visitor_call(request: Request) -> Response:
    """Tell who the visitor is."""
    member = request.cookies.get(COOKIE, "")
    return JSONResponse({"code": 0, "data": {"name": member, "guest": not member}})


async def login(request: Request) -> Response:
    """Serve the login page to guests, and redirect members."""
    if request.cookies.get(COOKIE):
        return RedirectResponse("/posts", 302)
    return _page("<div class='login'><img id='code' width='100'></div>", _LOGIN)


async def create_code(request: Request) -> Response:
    """Answer the call for a QR code."""
    return JSONResponse({"code": 0, "data": {"url": f"{request.base_url}scan?id=1", "picture": picture()}})


async def code_status(request: Request) -> Response:
    """Answer the call for the status of the QR code; a confirmed code logs the visitor in."""
    confirmed = request.app.state.scanned
    answer = JSONResponse({"code": 0, "data": {"status": 2 if confirmed else 0}})
    if confirmed:
        answer.set_cookie(COOKIE, "an", httponly=True)
    return answer


async def verify(request: Request) -> Response:
    """Serve the page of a captcha."""
    return _page("<p>verify</p>")


def create_site() -> Starlette:
    """Return the stand-in, which serves posts and whose QR code is not scanned."""
    app = Starlette(
        routes=[
            Route("/posts", posts),
            Route("/login", login),
            Route("/account/verify", verify),
            Route("/data/v1/posts", posts_call),
            Route("/data/v1/me", visitor_call),
            Route("/data/v1/login/create", create_code, methods=["POST"]),
            Route("/data/v1/login/status", code_status),
        ]
    )
    app.state.case = ""
    app.state.scanned = False
    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8100)
    options = parser.parse_args()
    uvicorn.run(create_site(), host=options.host, port=options.port)
