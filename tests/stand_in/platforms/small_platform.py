"""Stands in for any platform: a list that grows while scrolling, refusals, a login by QR code, and short links.

`/posts?case=<case>` selects the behaviour; `app.state.login` is the state of the QR code, see `LOGIN_STATES`.
"""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.stand_in.platforms.xiaohongshu.login import picture

TOTAL, PAGE = 25, 10
#: Refusals of the call for posts, by case: HTTP status and body.
REFUSED_CALLS: dict[str, tuple[int, Any]] = {
    "limited": (432, None),
    "unknown": (200, {"code": -4711, "msg": "今日客满"}),
    "no-account": (200, {"code": -352, "msg": "风控"}),
}
NOTICES = {"deleted": "<div class='gone'>This post was deleted</div>", "captcha": "<div id='captcha'>slide</div>"}
#: Where the short links lead, or the status of those that lead nowhere, by the last part of their path.
SHORT_LINKS: dict[str, str | int] = {
    "post1": "/posts?id=1",
    "hop01": "/s/post1",
    "loop1": "/s/loop1",
    "gone1": 404,
    "busy1": 429,
    "down1": 502,
    "away1": "http://169.254.169.254/latest/meta-data",
}
#: The status that the login page asks for, by the state of the QR code.
LOGIN_STATES = {"waiting": 0, "scanned": 1, "proof": 1, "expired": 3, "done": 2}
MEMBER_COOKIE = "member"
#: The value of the cookie of a session that has ended.
ENDED = "ended"

_POSTS = """
const wanted = new URLSearchParams(location.search).get("case") ?? "";
window.APP = {list: null};
const load = async () => {
  const start = APP.list?.length ?? 0;
  const answer = await (await fetch(`/data/v1/posts?start=${start}&case=${wanted}`)).json();
  APP.list = [...(APP.list ?? []), ...answer.data.posts];
  document.querySelector("#end").hidden = answer.data.more;
  document.querySelector("#list").style.height = `${APP.list.length * 300}px`;
};
let loading = load();
addEventListener("scroll", () => { loading = loading.then(() => document.querySelector("#end").hidden && load()); });
document.querySelector("input").addEventListener("input", (event) => fetch(`/data/v1/suggest?word=${event.target.value}`));
if (wanted === "comments") fetch("/data/v1/comments");
"""
_LOGIN_BOX = "<div class='login'><img id='code' width='100'></div>"
_QUIET = """
document.querySelector("button").addEventListener("click", () => { document.querySelector(".login").hidden = false; });
"""
_LOGIN = """
const box = document.querySelector(".login");
fetch("/data/v1/login/create", {method: "POST"}).then((answer) => answer.json()).then(({data}) => {
  document.querySelector("#code").src = data.picture;
});
setInterval(async () => {
  const {data} = await (await fetch("/data/v1/login/status")).json();
  if (data.status === 2) location.href = "/me";
  if (data.proof) box.innerHTML = "<p>请输入短信验证码</p><input placeholder='验证码'>";
}, 100);
"""


def _page(body: str, script: str = "", title: str = "inn") -> HTMLResponse:
    return HTMLResponse(
        f"<!doctype html><meta charset=utf-8><title>{title}</title><body>{body}<script>{script}</script>"
    )


async def posts(request: Request) -> Response:
    """Serve the list of posts, or what the case shows in its place."""
    case = request.query_params.get("case", "")
    request.app.state.visitors.append(request.cookies.get(MEMBER_COOKIE, ""))
    if case == "redirect":
        return RedirectResponse("/account/unhuman?next=x", 302)
    if case == "status":
        return HTMLResponse("", 432)
    if case in NOTICES:
        return _page(NOTICES[case])
    if case == "silent":
        return _page("<p>loading</p>", "window.APP = {}")
    if case == "stateless":
        return _page("<p>new design</p>")
    if case == "in-script":
        state = quote(json.dumps({"list": [{"id": 1, "text": "百分号"}]}))
        return _page(f"<script id='data' type='application/json'>{state}</script>")
    return _page("<input><div id='list'></div><p id='end' hidden>END</p>", _POSTS)


async def posts_call(request: Request) -> Response:
    """Answer the call for posts."""
    case = request.query_params.get("case", "")
    if case in REFUSED_CALLS:
        status, body = REFUSED_CALLS[case]
        return Response(status_code=status) if body is None else JSONResponse(body, status)
    start = int(request.query_params["start"])
    found = [{"id": number, "text": f"post {number}"} for number in range(start, min(start + PAGE, TOTAL))]
    return JSONResponse({"code": 0, "data": {"posts": found, "more": start + PAGE < TOTAL}})


async def comments_call(request: Request) -> Response:
    """Refuse the call for comments."""
    return JSONResponse({"code": 101, "msg": "未登录"})


async def suggest_call(request: Request) -> Response:
    """Answer the call of the search box, or refuse it."""
    word = request.query_params["word"]
    if word == "x":
        return JSONResponse({"code": 101, "msg": "未登录"})
    return JSONResponse({"code": 0, "data": {"words": [f"{word}?"]}})


async def write_call(request: Request) -> Response:
    """Answer a write as the request asks."""
    match request.query_params["answer"]:
        case "refused":
            return JSONResponse({"code": -7, "msg": "标题不合适"})
        case "gateway":
            return PlainTextResponse("bad gateway", 502)
        case "no-json":
            return PlainTextResponse("ok")
    return JSONResponse({"code": 0})


async def login(request: Request) -> Response:
    """Serve the login page to guests, and redirect members."""
    if request.cookies.get(MEMBER_COOKIE, ENDED) != ENDED:
        return RedirectResponse("/me", 302)
    if request.app.state.login == "quiet":
        return _page(f"<button>log in</button>{_LOGIN_BOX.replace('>', ' hidden>', 1)}", _QUIET + _LOGIN)
    return _page(_LOGIN_BOX, _LOGIN)


async def create_code(request: Request) -> Response:
    """Answer the call for a QR code."""
    if request.app.state.login == "refused":
        return JSONResponse({"code": -9, "msg": "今日次数已用完"})
    url = f"https://{request.app.state.code_host}/scan?id=1"
    shown = request.app.state.picture_url or picture()
    return JSONResponse({"code": 0, "data": {"url": url, "picture": shown}})


async def code_picture(request: Request) -> Response:
    """Serve the picture of the QR code at an address of its own."""
    return Response(base64.b64decode(picture().partition("base64,")[2]), media_type="image/png")


async def code_status(request: Request) -> Response:
    """Answer the call for the status of the QR code; a confirmed code logs the visitor in."""
    state = request.app.state.login
    answer = JSONResponse({"code": 0, "data": {"status": LOGIN_STATES.get(state, 0), "proof": state == "proof"}})
    if state == "done":
        answer.set_cookie(MEMBER_COOKIE, "an", httponly=True)
    return answer


async def me(request: Request) -> Response:
    """Say who the visitor is."""
    return PlainTextResponse(request.cookies.get(MEMBER_COOKIE, "guest"))


async def short_link(request: Request) -> Response:
    """Answer a short link, with a cookie that a browser would send back."""
    code = request.path_params["code"]
    request.app.state.followed.append((code, request.headers.get("cookie")))
    leads = SHORT_LINKS[code]
    answer = RedirectResponse(leads, 302) if isinstance(leads, str) else Response(status_code=leads)
    answer.set_cookie("tracked", code)
    return answer


async def unhuman(request: Request) -> Response:
    """Serve the page of a captcha."""
    return _page("<p>verify</p>")


def create_site() -> Starlette:
    """Return the stand-in; its `state` holds the state of the login, the visitors of the list, and the short links."""
    app = Starlette(
        routes=[
            Route("/posts", posts),
            Route("/login", login),
            Route("/me", me),
            Route("/code.png", code_picture),
            Route("/s/{code}", short_link),
            Route("/account/unhuman", unhuman),
            Route("/data/v1/posts", posts_call),
            Route("/data/v1/comments", comments_call),
            Route("/data/v1/suggest", suggest_call),
            Route("/data/v1/write", write_call, methods=["POST"]),
            Route("/data/v1/login/create", create_code, methods=["POST"]),
            Route("/data/v1/login/status", code_status),
        ]
    )
    app.state.login = "waiting"
    app.state.code_host = "www.inn.example"
    app.state.picture_url = ""
    app.state.visitors = []
    #: The short links that were followed, each with the cookies that were sent.
    app.state.followed = []
    return app
