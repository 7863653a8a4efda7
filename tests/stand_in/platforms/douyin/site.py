"""Stands in for douyin.com and its share pages: the same paths, calls and walls, with invented data.

`state.douyin` of the application is a `DouyinState`, whose fields choose the behaviour. A guest logs in by a QR code,
which is scanned when `scanned` becomes true. Run it with `python -m tests.stand_in.platforms.douyin.site --port N [--case CASE]`; HOST
sets the address.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.stand_in.platforms.douyin import data
from tests.stand_in.platforms.xiaohongshu.login import picture as qr_picture

_SCRIPT = (Path(__file__).parent / "page.js").read_text(encoding="utf-8")
SESSION = "sessionid"
#: What the calls for data are answered instead, by case: HTTP status and body.
REFUSED_CALLS: dict[str, tuple[int, Any]] = {
    "limited": (429, None),
    "frequent": (200, {"status_code": 9, "status_msg": "访问太频繁，请稍后再试"}),
    "blocked": (200, "blocked"),
    "no body": (200, ""),
    "login wall": (200, {"status_code": 8, "status_msg": "用户未登录"}),
    "verify": (200, {"status_code": 2190, "status_msg": "需要完成安全验证"}),
    "unknown": (200, {"status_code": 4711, "status_msg": "今日客满"}),
    "broken": (502, None),
}
#: Pages that take the place of all others, by case: title and body.
PAGES: dict[str, tuple[str, str]] = {
    "captcha page": ("验证码中间页", "<div>请完成下列验证后继续</div>"),
    "captcha box": ("抖音", "<div id='captcha-verify-image' style='width:99px;height:99px'></div>"),
    "too often": ("抖音", "<p>访问过于频繁，请稍后再试</p>"),
    "gone page": ("抖音", "<p>你要观看的视频不存在</p>"),
    "new layout": ("抖音", "<main>全新的页面</main>"),
}
#: The site's explanations of why it does not show a video, by case.
HIDDEN: dict[str, tuple[str, str]] = {
    "removed": ("author_delete", "因作品权限或已被删除，无法观看，去看看其他作品吧"),
    "private": ("status_self_see", "作者已将该作品设为私密"),
}
_PANEL = (
    "<p id='login-button'>登录</p><div id='login-panel-new' {hidden}>登录后看更多"
    "<div id='animate_qrcode_container'><img width='200'></div></div>"
)


@dataclass
class DouyinState:
    """Holds what the stand-in received and how it behaves.

    Attributes:
        case: The wall or peculiarity to show; "" for none. `comments CASE` concerns the call for comments only.
        share: Where share links have their data: by a `call`, in the `page` (until August 2026), or `nowhere`; `down` when
            they fail.
        pictures_by_source: Whether the call answers for sets of pictures only with `request_source=200`.
        stream: Whether searches are answered as a stream.
        ignores_filters: Whether the page of a search leaves the filters of its address out.
        expired: Whether sessions are no longer valid.
        scanned: Whether the QR code was scanned and confirmed.
        quiet_login: Whether the login box appears only after a click.
        total: How many results a search has.
        moves: By how many places the order of a search's results moves on with each page that is opened.
        opened: How many pages of a search were opened.
        requests: Paths with queries, in the order of their arrival.
    """

    case: str = ""
    share: str = "call"
    pictures_by_source: bool = True
    stream: bool = False
    ignores_filters: bool = False
    expired: bool = False
    scanned: bool = False
    quiet_login: bool = False
    total: int = data.SEARCH_TOTAL
    moves: int = 0
    opened: int = 0
    requests: list[str] = field(default_factory=list)

    def reset(self) -> None:
        """Behave as at the start."""
        self.__init__()  # type: ignore[misc]

    def paths(self, part: str) -> list[str]:
        """Return the requests whose path contains `part`."""
        return [request for request in self.requests if part in request]


def _state(request: Request) -> DouyinState:
    state: DouyinState = request.app.state.douyin
    query = f"?{request.url.query}" if request.url.query else ""
    state.requests.append(f"{request.url.path}{query}")
    return state


def _member(request: Request, state: DouyinState) -> bool:
    return SESSION in request.cookies and not state.expired


def _page(request: Request, state: DouyinState, kind: str, name: str = "", **values: Any) -> Response:
    if state.case == "page broken":
        return PlainTextResponse("upstream", 503)
    if state.case in PAGES:
        title, body = PAGES[state.case]
        return HTMLResponse(f"<!doctype html><meta charset=utf-8><title>{title}</title><body>{body}")
    member = _member(request, state)
    settings = {
        "kind": "none" if state.case in ("never", "login box") else kind,
        "id": name,
        "member": member,
        "delay_ms": 1500 if state.case == "slow" else 30,
        "stream": state.stream,
        **values,
    }
    asks = not member and (kind == "home" or state.case in ("login box", "login box over data"))
    panel = _PANEL.format(hidden="hidden" if state.quiet_login else "") if asks else ""
    return HTMLResponse(
        "<!doctype html><html lang='zh-CN'><meta charset='utf-8'><title>抖音</title>"
        f"<body><div id='list'></div>{panel}"
        f"<script>const PAGE = {json.dumps(settings, ensure_ascii=False)};\n{_SCRIPT}</script></body></html>"
    )


async def home(request: Request) -> Response:
    """Serve the home page."""
    return _page(request, _state(request), "home")


async def hot_page(request: Request) -> Response:
    """Serve the page of the hot list."""
    return _page(request, _state(request), "hot")


async def video_page(request: Request) -> Response:
    """Serve the page of a video or of a set of pictures."""
    return _page(request, _state(request), "video", request.path_params["video_id"])


async def user_page(request: Request) -> Response:
    """Serve a profile."""
    return _page(request, _state(request), "user", request.path_params["user_ref"])


async def search_page(request: Request) -> Response:
    """Serve the page of a search, which takes its filters from the address."""
    state = _state(request)
    named = {} if state.ignores_filters else dict(request.query_params)
    filters = {name: named[name] for name in ("sort_type", "publish_time") if name in named}
    return _page(request, state, "search", request.path_params["keyword"], filters=filters)


async def _answer(state: DouyinState, request: Request, body: Any, part: str = "") -> Response:
    """Return the answer to a call, or what the case has in its place; `part` names a call for a part of a page."""
    if request.query_params.get("a_bogus") != "page":
        return PlainTextResponse("")  # as the site answers calls that its script has not signed
    case = state.case
    if part:
        case = case.removeprefix(f"{part} ") if case.startswith(f"{part} ") else ""
    if case in REFUSED_CALLS:
        status, refused = REFUSED_CALLS[case]
        if isinstance(refused, dict):
            return JSONResponse(refused, status)
        return PlainTextResponse(refused or "", status)
    if case == "changed":
        return JSONResponse({"status_code": 0, "result": {"things": []}})
    await asyncio.sleep(0)
    return JSONResponse(body)


async def hot_call(request: Request) -> Response:
    """Answer the call for the hot list."""
    state = _state(request)
    empty = {"status_code": 0, "data": {"word_list": [], "trending_list": []}}
    return await _answer(state, request, empty if state.case == "empty" else data.hot())


async def detail_call(request: Request) -> Response:
    """Answer the call for a video."""
    state = _state(request)
    video_id = request.query_params["aweme_id"]
    if state.case in HIDDEN:
        reason, message = HIDDEN[state.case]
        hidden = {"aweme_id": video_id, "filter_reason": reason, "detail_msg": message, "notice": "抱歉，作品不见了"}
        return await _answer(state, request, {"status_code": 0, "aweme_detail": None, "filter_detail": hidden})
    found = data.odd_aweme(video_id) if state.case == "odd" else data.detail(video_id)
    return await _answer(state, request, {"status_code": 0, "aweme_detail": found})


async def comments_call(request: Request) -> Response:
    """Answer the call for comments."""
    state = _state(request)
    start = int(request.query_params["cursor"])
    if state.case == "comments none":
        return JSONResponse({"status_code": 0, "comments": None, "has_more": 0, "total": 0})
    if state.case == "comments silent" and start:
        return PlainTextResponse("", 404)
    return await _answer(state, request, data.comments(request.query_params["aweme_id"], start), "comments")


async def profile_call(request: Request) -> Response:
    """Answer the call for a profile."""
    state = _state(request)
    if state.case == "removed":
        return await _answer(state, request, {"status_code": 0, "status_msg": "用户已注销", "user": {}})
    found = data.user(request.query_params["sec_user_id"])
    return await _answer(
        state, request, {"status_code": 0, "user": found | {"secret": int(state.case.startswith("private"))}}
    )


async def posts_call(request: Request) -> Response:
    """Answer the call for a user's videos."""
    state = _state(request)
    if state.case == "private silent" or (state.case == "posts silent" and request.query_params["max_cursor"] != "0"):
        return PlainTextResponse("", 404)
    if state.case in ("empty", "private"):
        return await _answer(state, request, {"status_code": 0, "aweme_list": [], "has_more": 0, "max_cursor": 0})
    return await _answer(state, request, data.posts(int(request.query_params["max_cursor"])))


async def self_call(request: Request) -> Response:
    """Answer the call for the user who is logged in."""
    state = _state(request)
    if not _member(request, state):
        return JSONResponse({"status_code": 8, "status_msg": "用户未登录"})
    return JSONResponse({"status_code": 0, "user": data.user(data.OTHER_USER) | {"nickname": "测试账号"}})


async def search_call(request: Request) -> Response:
    """Answer the call for the results of a search: to guests, and to visitors to be verified, with nothing."""
    state = _state(request)
    start = int(request.query_params["offset"])
    state.opened += start == 0
    if state.case == "search repeated" and len(state.paths("/general/search/")) == 1:
        return PlainTextResponse("")
    if state.case == "search silent" and start:
        return PlainTextResponse("", 404)
    nothing: dict[str, Any] = {"status_code": 0, "data": [], "has_more": 0, "cursor": 0}
    if state.case == "verify check" or (state.case == "verify check later" and start):
        body = nothing | {"search_nil_info": {"search_nil_type": "verify_check", "is_load_more": ""}}
    elif not _member(request, state):
        body = nothing
    else:
        total = 0 if state.case == "empty" else state.total
        body = data.search(request.query_params["keyword"], start, total, state.moves * (state.opened - 1))
    answer = await _answer(state, request, body)
    if not state.stream or not isinstance(answer, JSONResponse):
        return answer
    # A stream has several objects; a hexadecimal length is before each.
    texts = [json.dumps(body | {"data": [entry]}, ensure_ascii=False) for entry in body["data"]]
    texts.append(json.dumps(body | {"data": []}, ensure_ascii=False))
    return PlainTextResponse("".join(f"{len(text.encode()):x}\r\n{text}\r\n" for text in texts))


async def slides_call(request: Request) -> Response:
    """Answer the call of the share pages, which have no other data since August 2026."""
    state = _state(request)
    if state.case in ("limited", "frequent"):
        status, refused = REFUSED_CALLS[state.case]
        return JSONResponse(refused, status) if refused else PlainTextResponse("", status)
    if state.share == "down":
        return PlainTextResponse("upstream", 502)
    if "a_bogus" in request.query_params or state.share != "call":
        return PlainTextResponse("")
    video_id = request.query_params["aweme_ids"].strip("[]")
    wanted = "200" if video_id == data.PICTURES and state.pictures_by_source else None
    if wanted and request.query_params.get("request_source") != wanted:
        return JSONResponse({"status_code": 0, "aweme_details": []})
    found = data.odd_aweme(video_id) if state.case == "odd" else data.detail(video_id)
    return JSONResponse({"status_code": 0, "aweme_details": [] if state.case in HIDDEN else [found]})


async def share_page(request: Request) -> Response:
    """Serve a share page: before August 2026 with the video's data in it, since then without."""
    state = _state(request)
    kind, video_id = request.path_params["kind"], request.path_params["video_id"]
    page: dict[str, Any] = {"ua": "mobile", "itemId": video_id}
    if state.share == "page":
        page["videoInfoRes"] = {"status_code": 0, "item_list": [data.detail(video_id)], "filter_list": []}
    router = {"loaderData": {f"{kind}_layout": None, f"{kind}_(id)/page": page}, "errors": None}
    text = json.dumps(router, ensure_ascii=False).replace("</", "<\\u002F")
    return HTMLResponse(f"<!doctype html><script>window._ROUTER_DATA = {text}</script><p>打开抖音</p>")


async def short_link(request: Request) -> Response:
    """Redirect like v.douyin.com: to a video, a set of pictures, a user, or where a short link must not lead."""
    state = _state(request)
    if state.case == "limited" or request.path_params["code"] == "failing":
        return PlainTextResponse("", 429 if state.case == "limited" else 502)
    base = str(request.base_url).rstrip("/")
    share = "region=CN&mid=1&u_code=0&from_ssr=1"
    target = {
        "video": f"{base}/share/video/{data.VIDEO}/?{share}",
        "note": f"{base}/share/note/{data.PICTURES}/?{share}",
        "slides": f"{base}/share/slides/{data.PICTURES}/?{share}",
        "modal": f"{base}/user/{data.USER}?modal_id={data.VIDEO}",
        "user": f"{base}/share/user/{data.USER}?sec_uid={data.USER}&{share}",
        "hop": "/s/video",
        "loop": "/s/loop",
        "away": "http://169.254.169.254/latest/meta-data",
    }.get(request.path_params["code"])
    return RedirectResponse(target, 302) if target else PlainTextResponse("gone", 404)


async def code_call(request: Request) -> Response:
    """Answer the call for a QR code."""
    _state(request)
    return JSONResponse({"data": {"qrcode": qr_picture().partition("base64,")[2], "token": "t1"}})


async def code_status(request: Request) -> Response:
    """Answer the call for the status of the QR code; a confirmed code logs the visitor in."""
    state = _state(request)
    answer = JSONResponse({"data": {"status": "3" if state.scanned else "1"}})
    if state.scanned:
        answer.set_cookie(SESSION, "scanned", httponly=True)
        answer.set_cookie("LOGIN_STATUS", "1")
    return answer


def create_site() -> Starlette:
    """Return a new stand-in, at which nobody is logged in."""
    calls = "/aweme/v1/web"
    site = Starlette(
        routes=[
            Route("/", home),
            Route("/hot", hot_page),
            Route("/video/{video_id}", video_page),
            Route("/note/{video_id}", video_page),
            Route("/user/{user_ref}", user_page),
            Route("/search/{keyword}", search_page),
            Route(f"{calls}/hot/search/list/", hot_call),
            Route(f"{calls}/aweme/detail/", detail_call),
            Route(f"{calls}/comment/list/", comments_call),
            Route(f"{calls}/user/profile/other/", profile_call),
            Route(f"{calls}/user/profile/self/", self_call),
            Route(f"{calls}/aweme/post/", posts_call),
            Route(f"{calls}/general/search/single/", search_call),
            Route(f"{calls}/general/search/stream/", search_call),
            Route("/web/api/v2/aweme/slidesinfo/", slides_call),
            Route("/share/{kind}/{video_id}/", share_page),
            Route("/s/{code}", short_link),
            Route("/passport/web/get_qrcode/", code_call),
            Route("/passport/web/check_qrconnect/", code_status),
        ]
    )
    site.state.douyin = DouyinState()
    return site


def main() -> None:
    """Serve the stand-in until it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8999)
    parser.add_argument("--case", default="")
    arguments = parser.parse_args()
    site = create_site()
    site.state.douyin.case = arguments.case
    uvicorn.run(site, host=os.environ.get("HOST", "127.0.0.1"), port=arguments.port, log_level="warning")


if __name__ == "__main__":
    main()
