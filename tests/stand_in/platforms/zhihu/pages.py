"""Serves the pages and data calls of the stand-in for Zhihu to browsers."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.stand_in.platforms.xiaohongshu.login import QR_ROWS
from tests.stand_in.platforms.zhihu import data

if TYPE_CHECKING:
    from tests.stand_in.platforms.zhihu.site import ZhihuState

COOKIE = "z_c0"
_SIGN_IN = """
fetch("/api/v3/account/api/login/qrcode", {method: "POST"}).then((answer) => answer.json()).then(({token}) => {
  const rows = ROWS, size = 6, canvas = document.createElement("canvas");
  canvas.className = "Qrcode-qrcode";
  canvas.width = canvas.height = (rows.length + 8) * size;
  const pen = canvas.getContext("2d");
  pen.fillStyle = "white";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = "black";
  rows.forEach((row, y) => [...row].forEach((module, x) => {
    if (module === "1") pen.fillRect((x + 4) * size, (y + 4) * size, size, size);
  }));
  document.querySelector(".Qrcode-img").append(canvas);
  setInterval(async () => {
    const answer = await (await fetch(`/api/v3/account/api/login/qrcode/${token}/scan_info`)).json();
    if (answer.access_token) location.href = "/hot";
  }, 100);
});
"""
_QUESTION = """
let offset = FIRST, ended = false, loading = fetch("/api/v4/questions/QUESTION/similar-questions?limit=5");
const list = document.querySelector("#list");
const load = async () => {
  const answer = await (await fetch(`/api/v4/questions/QUESTION/feeds?limit=5&offset=${offset}&order=default`)).json();
  if (!answer.data) return;
  offset += answer.data.length;
  ended = answer.paging.is_end;
  list.style.height = `${offset * 400}px`;
};
list.style.height = `${offset * 400}px`;
addEventListener("scroll", () => { loading = loading.then(() => ended || load()); });
"""
_SEARCH = """
let offset = 0, ended = false;
const list = document.querySelector("#list");
const load = async () => {
  const query = new URLSearchParams(location.search);
  query.set("offset", offset);
  const answer = await (await fetch(`/api/v4/search_v3?t=general&${query}`)).json();
  if (!answer.data) { ended = true; return; }
  offset += answer.data.length;
  ended = answer.paging.is_end;
  list.style.height = `${offset * 300}px`;
};
let loading = load();
addEventListener("scroll", () => { loading = loading.then(() => ended || load()); });
"""
_COMMENTS = """
let next = "", ended = false, loading = null;
const load = async () => {
  const answer = await (await fetch(`/api/v4/comment_v5/KIND/ID/root_comment?order_by=score&limit=10&offset=${next}`)).json();
  if (!answer.data) { ended = true; return; }
  next = answer.paging.next.split("offset=")[1];
  ended = answer.paging.is_end;
};
document.querySelector("#open").addEventListener("click", async () => {
  await load();
  const all = document.createElement("button");
  all.textContent = "点击查看全部评论";
  all.onclick = () => {
    const box = document.createElement("div"), inner = document.createElement("div");
    box.style = "height: 200px; overflow-y: auto";
    inner.style.height = "2000px";
    box.append(inner);
    document.body.append(box);
    let busy = false;
    box.addEventListener("scroll", async () => {
      if (busy || ended) return;
      busy = true;
      await load();
      inner.style.height = `${inner.clientHeight + 1000}px`;
      busy = false;
    });
  };
  document.body.append(all);
});
"""


def page_routes() -> list[Route]:
    """Return the routes of the site."""
    return [
        Route("/", _home),
        Route("/hot", _hot),
        Route("/search", _search),
        Route("/signin", _sign_in),
        Route("/account/unhuman", _unhuman),
        Route("/question/{question}", _question),
        Route("/question/{question}/answers/updated", _question),
        Route("/question/{question}/answer/{answer}", _answer),
        Route("/answer/{answer}", _answer),
        Route("/p/{article}", _article),
        Route("/people/{user}", _user),
        Route("/people/{user}/answers", _user),
        Route("/people/{user}/posts", _user),
        Route("/api/v4/me", _me),
        Route("/api/v4/search_v3", _search_call),
        Route("/api/v4/questions/{question}/feeds", _feeds),
        Route("/api/v4/questions/{question}/similar-questions", _similar),
        Route("/api/v4/comment_v5/{kind}/{id}/root_comment", _comments),
        Route("/api/v3/account/api/login/qrcode", _create_code, methods=["POST"]),
        Route("/api/v3/account/api/login/qrcode/{token}/scan_info", _scan_info),
    ]


def _state(request: Request) -> ZhihuState:
    state: ZhihuState = request.app.state.zhihu
    query = f"?{request.url.query}" if request.url.query else ""
    state.requests.append(f"{request.method} {request.url.path}{query}")
    return state


def _is_member(request: Request) -> bool:
    return request.cookies.get(COOKIE, "").startswith("member")


def _page(state: dict[str, Any] | None, body: str = "", script: str = "", status: int = 200) -> Response:
    content = json.dumps({"initialState": state, "subAppName": "main"}).replace("</", "<\\/")
    holder = "" if state is None else f"<script id='js-initialData' type='text/json'>{content}</script>"
    me = 'fetch("/api/v4/me?include=is_realname");'
    return HTMLResponse(
        f"<!doctype html><meta charset=utf-8><title>知乎</title><body><div id=root>{body}</div>{holder}"
        f"<script>{me}{script}</script>",
        status,
    )


def _wall(request: Request, state: ZhihuState, *, members_only: bool) -> Response | None:
    """Return what the site shows in place of a page, or None."""
    switches = state.switches
    if "captcha" in switches:
        return RedirectResponse("/account/unhuman?type=S6E3V1&need_login=false", 302)
    if "page-forbidden" in switches:
        return Response(status_code=403)
    if "down" in switches:
        return Response("bad gateway", 502)
    if "login-wall" in switches or (members_only and not _is_member(request)):
        return RedirectResponse(f"/signin?next={request.url.path}", 302)
    if "removed" in switches:
        return _page({"entities": {}}, "<div class='ErrorPage'>你似乎来到了没有知识存在的荒原</div>", status=404)
    if "changed" in switches:
        return _page(None, "<div>全新的页面</div>")
    if "moved" in switches:
        return _page({"entities": {"things": {}}}, "<div>全新的数据</div>")
    return None


async def _home(request: Request) -> Response:
    _state(request)
    return _page({"entities": {}})


async def _hot(request: Request) -> Response:
    state = _state(request)
    if wall := _wall(request, state, members_only=True):
        return wall
    hot = [data.hot_entry(number) for number in range(1, data.HOT + 1)]
    return _page({"topstory": {"hotList": hot}, "entities": {}})


async def _search(request: Request) -> Response:
    state = _state(request)
    script = _SEARCH
    if "unfiltered" in state.switches:
        script = script.replace(
            'query.set("offset", offset);',
            '["sort", "vertical"].forEach((name) => query.delete(name));query.set("offset", offset);',
        )
    return _wall(request, state, members_only=True) or _page({"entities": {}}, "<div id='list'></div>", script)


async def _question(request: Request) -> Response:
    state = _state(request)
    if wall := _wall(request, state, members_only=False):
        return wall
    question, first = data.question(), 3
    if "empty" in state.switches:
        question["answerCount"], first = 0, 0
    ids = [int(data.ANSWER) + number for number in range(first)]
    answers = {str(number): data.answer(number) for number in reversed(ids)}
    if "odd" in state.switches:
        question = {
            "id": int(data.QUESTION),
            "title": "<b>问题</b>\u200b",
            "answerCount": "23",
            "visitCount": "120.3 万",
        }
        answers = {
            data.ANSWER: {"id": int(data.ANSWER), "content": None, "voteupCount": "1.2 万", "author": None},
            "5": {"id": 5, "type": "answer", "content": "<p>" + "很长" * 5000, "question": {"id": data.QUESTION}},
        }
    entities = {"questions": {data.QUESTION: question}, "answers": answers}
    order = {"answers": {data.QUESTION: {"ids": [{"target": str(number)} for number in ids]}}}
    script = _QUESTION.replace("FIRST", str(first)).replace("QUESTION", data.QUESTION)
    return _page({"entities": entities, "question": order}, "<div id='list'></div>", script)


async def _feeds(request: Request) -> Response:
    state = _state(request)
    if refused := _refused(state, "feeds"):
        return refused
    start = int(request.query_params["offset"])
    numbers = range(start, min(start + 5, data.ANSWERS))
    entries = [
        {"type": "question_feed_card", "target_type": "answer", "target": data.called_answer(int(data.ANSWER) + number)}
        for number in numbers
    ]
    return JSONResponse({"data": entries, "paging": {"is_end": start + 5 >= data.ANSWERS, "next": "x"}})


async def _similar(request: Request) -> Response:
    _state(request)
    return JSONResponse({"data": [{"id": 1, "type": "question", "title": "问题"}], "paging": {"is_end": True}})


async def _answer(request: Request) -> Response:
    state = _state(request)
    if wall := _wall(request, state, members_only=False):
        return wall
    number = request.path_params["answer"]
    answer = data.answer(int(number), data.HTML)
    if "paid" in state.switches:
        answer["paidInfo"] = {"type": "column"}
    if "odd" in state.switches:
        answer = {"id": int(number), "content": "<p>只有正文\u200b\u202e</p><script>x</script>", "commentCount": "34"}
    body = f"<div class='ContentItem-actions'><button id='open'>{data.COMMENTS} 条评论</button></div>"
    script = _COMMENTS.replace("KIND", "answers").replace("ID", number)
    return _page({"entities": {"answers": {number: answer}}}, body, script)


async def _article(request: Request) -> Response:
    state = _state(request)
    if wall := _wall(request, state, members_only=False):
        return wall
    return _page({"entities": {"articles": {data.ARTICLE: data.article()}}})


async def _comments(request: Request) -> Response:
    state = _state(request)
    if refused := _refused(state, "comments"):
        return refused
    start = int(request.query_params["offset"] or 0)
    entries = [data.comment(number) for number in range(start + 1, min(start + 10, data.COMMENTS) + 1)]
    following = f"https://www.zhihu.com/api/v4/comment_v5/x/root_comment?limit=10&offset={start + 10}"
    if "odd" in state.switches:
        entries = [{"id": "1", "content": None, "author": None}, {"content": "没有编号"}, "文字"]
        start = data.COMMENTS
    return JSONResponse(
        {
            "data": entries,
            "paging": {"is_end": start + 10 >= data.COMMENTS, "next": following},
            "counts": {"total_counts": data.COMMENTS + 12, "collapsed_counts": 0},
        }
    )


async def _user(request: Request) -> Response:
    state = _state(request)
    if wall := _wall(request, state, members_only=True):
        return wall
    works = {str(number): data.work(number) for number in range(500, 520)}
    other = {"1": data.answer(1)}
    return _page({"entities": {"users": {data.USER: data.user()}, "answers": {**other, **works}}})


async def _search_call(request: Request) -> Response:
    state = _state(request)
    if refused := _refused(state, "search"):
        return refused
    if "slow" in state.switches:
        await asyncio.sleep(4)
    start, total = int(request.query_params["offset"]), 0 if "empty" in state.switches else data.RESULTS
    numbers = list(range(total))
    if "reordered" in state.switches:
        numbers = numbers[-5:] + numbers[:-5]
    entries: list[Any] = [data.result(number) for number in numbers[start : start + 10]]
    if "stalled" in state.switches and start:
        return JSONResponse({"data": [], "paging": {"is_end": False, "next": ""}})
    if "odd" in state.switches:
        odd = {"type": "answer", "id": "7", "question": {"name": "没有编号"}, "voteup_count": "1.2万", "author": None}
        entries, total = [None, {"type": "search_result"}, {"type": "search_result", "object": odd}], 0
    return JSONResponse({"data": entries, "paging": {"is_end": start + 10 >= total, "next": ""}})


async def _me(request: Request) -> Response:
    _state(request)
    if not _is_member(request):
        return JSONResponse({"error": {"code": 100, "name": "ERR", "message": "请先登录"}}, 401)
    return JSONResponse({"id": "1", "url_token": "me", "name": "测试用户", "user_type": "people"})


def _refused(state: ZhihuState, call: str) -> Response | None:
    """Return the refusal of a call; `captcha` and `limited` with the call's name switch it on."""
    if f"{call}-captcha" in state.switches:
        words = "系统监测到您的网络环境存在异常，为保证您的正常访问，请点击下方验证按钮进行验证。"
        return JSONResponse({"error": {"code": 40352, "message": words, "need_login": True}}, 403)
    if f"{call}-limited" in state.switches:
        words = "您当前请求存在异常，暂时限制本次访问。"
        return JSONResponse({"error": {"code": 40362, "message": words}}, 403)
    if f"{call}-signature" in state.switches:
        return JSONResponse({"error": {"code": 10003, "message": "请求参数异常，请升级客户端后重试。"}}, 403)
    if f"{call}-login" in state.switches:
        return JSONResponse({"error": {"code": 101, "message": "请登录后操作"}}, 401)
    return None


async def _sign_in(request: Request) -> Response:
    state = _state(request)
    if _is_member(request) and "login-wall" not in state.switches:
        return RedirectResponse("/hot", 302)
    body = "<div class='SignContainer-content'><p>打开知乎 App 扫码</p><div class='Qrcode-img'></div></div>"
    return _page({"entities": {}}, body, _SIGN_IN.replace("ROWS", json.dumps(QR_ROWS)))


async def _unhuman(request: Request) -> Response:
    _state(request)
    return _page(None, "<div class='Unhuman'>系统监测到您的网络环境存在异常</div>")


async def _create_code(request: Request) -> Response:
    _state(request)
    token = secrets.token_hex(8)
    link = f"https://www.zhihu.com/account/scan/login/{token}?/api/login/qrcode"
    return JSONResponse({"token": token, "link": link, "expires_at": 1_800_000_000}, 201)


async def _scan_info(request: Request) -> Response:
    state = _state(request)
    if state.scan != "confirmed":
        return JSONResponse({"status": 1 if state.scan == "scanned" else 0, "new_token": None})
    answer = JSONResponse({"user_id": 1, "uid": 2, "access_token": "token-of-a-test", "status": 2})
    answer.set_cookie(COOKIE, "member-scanned", httponly=True)
    return answer
