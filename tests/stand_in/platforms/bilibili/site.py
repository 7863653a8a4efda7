"""Stands in for bilibili.com in tests: pages that make their own signed calls, with a switch for every wall.

`python -m tests.stand_in.platforms.bilibili.site --port 8100` runs it alone. `state.case` of the application is the wall, `state.opened`
the paths of the pages that were opened. Calls that the site wants signed are answered only with the signature that the
stand-in's own pages make, so that a service that makes such calls itself fails.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.stand_in.platforms.bilibili import data
from tests.stand_in.platforms.bilibili.data import REFUSED_CALLS, WALL_PAGES, envelope
from tests.stand_in.platforms.xiaohongshu.login import picture

COOKIE = "SESSDATA"
SIGNATURE = "made-by-the-page"
SLOW_SECONDS = 1.5
#: Longer than a list that does not grow is scrolled.
STALLED_SECONDS = 8

_CALL = """
const call = (path, query = "") => fetch(`/x${path}?w_rid=SIGNATURE&wts=1&${query}`, {credentials: "include"})
  .then((answer) => answer.json());
call("/web-interface/nav").catch(() => 0);
""".replace("SIGNATURE", SIGNATURE)
_POPULAR = """
let page = 0, over = false, loading = Promise.resolve();
const load = async () => {
  if (over) return;
  page += 1;
  const {data} = await call("/web-interface/popular", `ps=20&pn=${page}`);
  over = data.no_more;
  document.body.style.height = `${page * 3000}px`;
};
loading = load();
addEventListener("scroll", () => { loading = loading.then(load); });
"""
_COMMENTS = """
let next = 0, over = false, loading = Promise.resolve();
document.body.style.height = "3000px";
const load = async () => {
  if (over) return;
  const {data} = await call("/v2/reply/wbi/main", `oid=1&type=1&mode=3&start=${next}`);
  next = data.cursor.next;
  over = data.cursor.is_end;
  document.body.style.height = `${3000 + next * 100}px`;
};
addEventListener("scroll", () => { loading = loading.then(load); });
"""
_LOGIN = """
fetch("/x/passport-login/web/qrcode/generate").then((answer) => answer.json()).then(({data}) => {
  document.querySelector(".login-scan-box img").src = data.picture;
  setInterval(async () => {
    const {data: poll} = await fetch(`/x/passport-login/web/qrcode/poll?qrcode_key=${data.qrcode_key}`).then((a) => a.json());
    if (poll.code === 0) location.href = "/v/popular/all";
  }, 100);
});
"""

Handler = Callable[[Request], Awaitable[Response]]


def _page(body: str, script: str, status: int = 200) -> Response:
    return HTMLResponse(f"<!doctype html><meta charset=utf-8><body>{body}<script>{_CALL}{script}</script>", status)


def _state(name: str, value: object) -> str:
    text = json.dumps(value, ensure_ascii=False).replace("</", "<\\/")
    return f"window.{name} = {text};"


def page(handler: Handler) -> Handler:
    """Return a handler that notes the visit, and shows the wall of the case in place of the page."""

    async def opened(request: Request) -> Response:
        request.app.state.opened.append(request.url.path)
        wall = WALL_PAGES.get(request.app.state.case)
        if wall is not None:
            return HTMLResponse(f"<!doctype html><meta charset=utf-8>{wall[1]}", wall[0])
        return await handler(request)

    return opened


def signed(handler: Handler) -> Handler:
    """Return a handler that refuses calls without a page's signature, and calls that the case refuses."""

    async def answered(request: Request) -> Response:
        if request.query_params.get("w_rid") != SIGNATURE:
            return JSONResponse(envelope(None, -403, "访问权限不足"))
        case = request.app.state.case
        if case == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        if case in REFUSED_CALLS:
            status, body = REFUSED_CALLS[case]
            return Response("<html>", status) if body is None else JSONResponse(body, status)
        return await handler(request)

    return answered


def is_member(request: Request) -> bool:
    """Return whether the visitor is logged in; an expired session still has its cookie."""
    return COOKIE in request.cookies and request.app.state.case != "expired"


async def popular(request: Request) -> Response:
    """Serve the page of popular videos."""
    return _page("<div></div>", _POPULAR)


async def popular_call(request: Request) -> Response:
    """Answer the call for popular videos; there are 60 in three pages, and one entry is no video."""
    number = int(request.query_params["pn"])
    case = request.app.state.case
    if case == "stalled" and number > 1:
        await asyncio.sleep(STALLED_SECONDS)
    # In another order, ten videos have come in at the top.
    places = range((number - 1) * 20, number * 20)
    entries = [data.listed_video(each if case != "other_order" else (each + 90) % 100) for each in places]
    entries[0] |= {"bvid": ""} if number == 2 else {}
    if case == "changed":
        return JSONResponse(envelope({"list": [{"id": 1}], "no_more": True}))
    if case == "risk_later" and number > 1:
        return JSONResponse(REFUSED_CALLS["risk"][1])
    return JSONResponse(envelope({"list": entries, "no_more": number == 3}))


async def ranking(request: Request) -> Response:
    """Serve the page of the ranking."""
    return _page("<div></div>", "call('/web-interface/ranking/v2', 'rid=0&type=all');")


async def ranking_call(request: Request) -> Response:
    """Answer the call for the ranking."""
    return JSONResponse(envelope({"note": "", "list": [data.listed_video(number) for number in range(100)]}))


async def hotword(request: Request) -> Response:
    """Answer the unsigned call for hot words."""
    request.app.state.opened.append(request.url.path)
    case = request.app.state.case
    if case in REFUSED_CALLS:
        status, body = REFUSED_CALLS[case]
        return Response("<html>", status) if body is None else JSONResponse(body, status)
    return JSONResponse(data.hot_words(30) if case != "changed" else {"code": 0, "words": []})


async def search(request: Request) -> Response:
    """Serve a page of results, whose first data is in its state or, in the case `by_call`, comes by a call."""
    kind, number = request.path_params["kind"], int(request.query_params.get("page", "1"))
    state = request.app.state
    state.searched.append(dict(request.query_params))
    if state.case in {"by_call", "slow", *REFUSED_CALLS}:
        query = f"'search_type={kind}&page={number}'"
        return _page("<div></div>", f"call('/web-interface/wbi/search/type', {query});")
    found = data.search_answer(kind, number, 0 if state.case == "empty" else data.SEARCHED)
    if state.case == "odd":
        found |= {
            "result": [data.ODD_VIDEO, {"type": "ketang", "title": "课程"}, None],
            "numResults": "1",
            "numPages": "1",
        }
    if state.case == "changed":
        found["result"] = [{"videoId": 1}]
    if state.case == "lost":
        found |= {"result": None}
    filled = _state("__pinia", {"searchTypeResponse": {"searchTypeResponse": found}})
    before = _state("__pinia", {"searchTypeResponse": {"searchTypeResponse": {"numResults": 0, "result": []}}})
    # The state is empty until the page has filled it.
    return _page("<div></div>", f"{before} setTimeout(() => {{ {filled} }}, 800);")


async def search_call(request: Request) -> Response:
    """Answer the call for results."""
    kind, number = request.query_params["search_type"], int(request.query_params["page"])
    return JSONResponse(envelope(data.search_answer(kind, number)))


async def video(request: Request) -> Response:
    """Serve the page of a video, whose data is in its state."""
    name, case = request.path_params["name"], request.app.state.case
    if case == "series":
        return RedirectResponse("/bangumi/play/ep1", 302)
    state = {
        "aid": data.AID, "bvid": data.BVID, "p": 1, "videoData": data.video(), "upData": {"mid": "900", "fans": 12_345},
        "tags": [{"tag_id": 1, "tag_name": "咖啡"}, {"tag_id": 2, "tag_name": "手冲"}], "error": {},
    }  # fmt: skip
    removed = {"removed": (62002, "稿件不可见"), "only_author": (62012, "仅UP主自己可见")}.get(case)
    if removed or name not in (data.BVID, f"av{data.AID}"):
        code, message = removed or (404, "啥都木有")
        state |= {"videoData": {}, "tags": [], "error": {"code": code, "message": message}}
    if case == "odd":
        odd = {"stat": {"view": "1.2万", "like": None}, "owner": None, "pages": None, "pubdate": None, "desc": None}
        state["videoData"] |= odd
        state |= {"tags": None, "upData": None}
    if case == "other_video":
        state["videoData"] |= {"bvid": data.bvid(5), "aid": 9}
    script = _state("__INITIAL_STATE__", state) + _COMMENTS + "call('/player/wbi/v2', 'cid=1').catch(() => 0);"
    return _page("<div></div>", script)


async def bangumi(request: Request) -> Response:
    """Serve the page of an episode of a series."""
    return _page("<div></div>", _state("__INITIAL_STATE__", {"epInfo": {"id": 1}}))


async def comment_call(request: Request) -> Response:
    """Answer the call for comments; guests get the first three."""
    case, start = request.app.state.case, int(request.query_params["start"])
    if case == "stalled" and start:
        await asyncio.sleep(STALLED_SECONDS)
    if case == "closed":
        return JSONResponse(envelope(None, 12002, "评论区已关闭"))
    if case == "comments_risk" or (case == "comments_risk_later" and start):
        return JSONResponse(REFUSED_CALLS["risk"][1])
    if case == "no_comments":
        return JSONResponse(envelope(data.comment_answer(0, 0)))
    answer = data.comment_answer(start)
    if not is_member(request):
        answer["replies"] = answer["replies"][:3]
        answer["cursor"]["is_end"] = True
    if case == "long":
        answer["replies"] = [each | {"content": {"message": "长" * 1000}} for each in answer["replies"]]
    if case == "odd":
        answer["replies"] = [
            data.comment(1) | {"content": None, "member": None, "like": "3.4万", "ctime": "x"},
            None,
            5,
        ]
    return JSONResponse(envelope(answer))


async def player_call(request: Request) -> Response:
    """Answer the player's call with the list of subtitles; guests get none."""
    case, member = request.app.state.case, is_member(request)
    base = str(request.base_url).rstrip("/")
    offered = [] if not member or case == "no_subtitles" else data.subtitle_list(base)
    if case == "other_host":
        offered = [entry | {"subtitle_url": "//files.example.com/a.json"} for entry in offered]
    if case == "changed":
        return JSONResponse(envelope({"aid": data.AID}))
    needs_login = not member and case != "no_subtitles"
    return JSONResponse(
        envelope({"aid": data.AID, "need_login_subtitle": needs_login, "subtitle": {"lan": "", "subtitles": offered}})
    )


async def subtitle_file(request: Request) -> Response:
    """Serve a file with subtitles."""
    return JSONResponse(data.subtitle_lines() if request.app.state.case != "changed_file" else {"lines": []})


async def space(request: Request) -> Response:
    """Serve the videos of a user's space."""
    mid, number = request.path_params["mid"], int(request.query_params.get("pn", "1"))
    return _page(
        "<div></div>",
        f"call('/space/wbi/acc/info', 'mid={mid}'); call('/space/wbi/arc/search', 'mid={mid}&pn={number}');"
        f"call('/relation/stat', 'vmid={mid}');",
    )


async def profile_call(request: Request) -> Response:
    """Answer the call for a user."""
    mid = request.query_params["mid"]
    if mid == "404":
        return JSONResponse(envelope(None, -404, "啥都木有"))
    return JSONResponse(envelope(data.profile(mid)))


async def uploads_call(request: Request) -> Response:
    """Answer the call for a user's videos."""
    total = 0 if request.app.state.case == "empty" else data.UPLOADS
    number = 1 if request.app.state.case == "stuck" else int(request.query_params["pn"])
    return JSONResponse(envelope(data.upload_answer(number, total)))


async def relation_call(request: Request) -> Response:
    """Answer the call for the number of a user's fans."""
    if request.app.state.case == "no_numbers":
        return JSONResponse(envelope(None, -400, "请求错误"))
    return JSONResponse(envelope({"mid": int(request.query_params["vmid"]), "following": 42, "follower": 12_345}))


async def nav_call(request: Request) -> Response:
    """Answer the call that tells who the visitor is."""
    if not is_member(request):
        return JSONResponse(envelope({"isLogin": False, "wbi_img": {}}, -101, "账号未登录"))
    return JSONResponse(envelope({"isLogin": True, "mid": 77, "uname": "测试用户", "level_info": {}, "wbi_img": {}}))


async def login(request: Request) -> Response:
    """Serve the login page."""
    if is_member(request):
        return RedirectResponse("/v/popular/all", 302)
    return _page("<div class='login-scan-box'><img width='120'></div><input placeholder='请输入验证码'>", _LOGIN)


async def code_call(request: Request) -> Response:
    """Answer the call for a QR code; the site draws the picture in the page, the stand-in sends it."""
    if request.app.state.case == "no_codes":
        return JSONResponse(envelope(None, -412, "请求被拦截"))
    url = f"{request.base_url}h5-app/passport/login/scan?qrcode_key=1"
    return JSONResponse(envelope({"url": url, "qrcode_key": "1", "picture": picture()}))


async def code_status_call(request: Request) -> Response:
    """Answer the call for the status of the QR code; a confirmed code logs the visitor in."""
    code = request.app.state.scan
    answer = JSONResponse(envelope({"url": "", "refresh_token": "", "timestamp": 0, "code": code, "message": ""}))
    if code == 0:
        answer.set_cookie(COOKIE, "member", httponly=True, max_age=86_400)
    return answer


async def short_link(request: Request) -> Response:
    """Redirect a share link."""
    if request.url.path == "/favicon.ico":
        return Response(status_code=404)
    request.app.state.opened.append(request.url.path)
    if request.app.state.case in WALL_PAGES:
        status, text = WALL_PAGES[request.app.state.case]
        return HTMLResponse(text, status)
    if request.app.state.case == "intercepted":
        return JSONResponse(REFUSED_CALLS["intercepted"][1])
    targets = {
        "abc1234": f"/video/{data.BVID}?p=2&share_source=copy_web",
        "user123": f"/{data.MID}",
        "loop123": "/loop123",
    }
    target = targets.get(request.path_params["code"])
    return RedirectResponse(target, 302) if target else Response("gone", 404)


def reset(app: Starlette) -> None:
    """Make the stand-in as it is at its start."""
    app.state.case, app.state.scan, app.state.opened, app.state.searched = "", 86101, [], []


def create_site() -> Starlette:
    """Return the stand-in, which shows no walls and whose QR code is not scanned."""
    calls = {
        "web-interface/popular": popular_call, "web-interface/ranking/v2": ranking_call,
        "web-interface/wbi/search/type": search_call, "v2/reply/wbi/main": comment_call, "player/wbi/v2": player_call,
        "space/wbi/acc/info": profile_call, "space/wbi/arc/search": uploads_call, "relation/stat": relation_call,
    }  # fmt: skip
    app = Starlette(
        routes=[
            *(Route(f"/x/{path}", signed(handler)) for path, handler in calls.items()),
            Route("/x/web-interface/nav", nav_call),
            Route("/x/passport-login/web/qrcode/generate", code_call),
            Route("/x/passport-login/web/qrcode/poll", code_status_call),
            Route("/main/hotword", hotword),
            Route("/bfs/subtitle/{name}", subtitle_file),
            Route("/v/popular/all", page(popular)),
            Route("/v/popular/rank/all", page(ranking)),
            Route("/video/{name}", page(video)),
            Route("/bangumi/play/{name}", page(bangumi)),
            Route("/login", page(login)),
            Route("/{mid:int}/upload/video", page(space)),
            *(Route(f"/{kind}", _search_route(kind)) for kind in ("video", "upuser", "article")),
            Route("/{code}", short_link),
        ]
    )
    reset(app)
    return app


def _search_route(kind: str) -> Handler:
    async def searched(request: Request) -> Response:
        request.path_params["kind"] = kind
        return await search(request)

    return page(searched)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8100)
    options = parser.parse_args()
    uvicorn.run(create_site(), host=options.host, port=options.port)
