"""Stands in for Weibo in tests: the site, the mobile site, the site of logins, short links and the official API.

`python -m tests.stand_in.platforms.weibo.site --port 8100` runs it alone. `state.weibo` of the application is a `WeiboState`, whose
`case` chooses what the sites show in place of their data.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.stand_in.platforms.weibo import data, login, official
from tests.stand_in.platforms.weibo.state import VISITOR, WeiboState, is_member, state_of

#: By case, what the calls of the sites answer in place of their data: HTTP status and body.
REFUSED_CALLS: dict[str, tuple[int, object]] = {
    "logged_out": (200, {"ok": -100, "url": "https://passport.weibo.com/sso/signin?entry=miniblog&r=x"}),
    "captcha": (200, {"ok": -100, "errno": "100005", "url": "https://security.weibo.com/captcha/geetest?key=x"}),
    "limited": (432, None),
    "teapot": (418, None),
    "forbidden": (403, None),
    "too_often": (200, {"ok": 0, "msg": "请求过于频繁，歇歇吧"}),
    "removed": (400, {"ok": 0, "error_code": 20101, "error_type": "toast", "message": "该微博不存在"}),
    "private": (400, {"ok": 0, "error_code": 20112, "message": "由于作者隐私设置，你没有权限查看此微博"}),
    "expired": (200, {"ok": 0, "error_code": 21301, "error": "relogin!", "message": "请重新登录"}),
    "suspended": (200, {"ok": 0, "msg": "您的账号异常，请先解除限制"}),
    "unknown": (200, {"ok": 0, "msg": "今日客满"}),
    "changed": (200, {"ok": 1, "data": {"renamed": []}, "renamed": []}),
    "html": (200, "<html>维护中</html>"),
    "error": (502, None),
}
#: By short link, the HTTP status in place of a redirect.
SHORT_LINK_STATUSES = {"A6gone": 200, "A6missing": 404, "A6busy": 429, "A6teapot": 418, "A6broken": 502}
#: By case, where pages lead in place of their content.
REDIRECTS = {"login_wall": "/sso/signin?entry=miniblog", "captcha_page": "/captcha/index", "frozen": "/unfreeze"}

_WEB = """
const ask = (path) => fetch(path, {headers: {"X-Requested-With": "XMLHttpRequest"}}).then((answer) => answer.json());
for (const call of CALLS) ask(call).catch(() => {});
"""
_POST = """
fetch("/ajax/statuses/show?locale=zh-CN&isGetLongText=true&id=ID").then((answer) => answer.json()).then((post) => {
  document.body.append(post.text_raw ?? "");
  if (post.ok === 1) fetch(`/ajax/statuses/buildComments?is_reload=1&id=${post.mid}&is_show_bulletin=2&is_mix=0` +
                           `&count=10&uid=${post.user.id}&fetch_level=0&locale=zh-CN`);
}).catch(() => {});
"""


def create_weibo() -> Starlette:
    """Return the stand-in."""
    app = Starlette(
        routes=[
            Route("/open/auth/ws_token", official.token, methods=["POST"]),
            Route("/open/weibo/hot_search", official.hot_search),
            Route("/open/wis/search_query", official.summary),
            Route("/visitor/visitor", visitor),
            Route("/sso/signin", login.signin),
            Route("/sso/v2/qrcode/image", login.code_image),
            Route("/sso/v2/qrcode/check", login.code_check),
            Route("/inf/gen", login.code_picture),
            Route("/captcha/index", plain),
            Route("/unfreeze", plain),
            Route("/t.cn/{code}", short_link),
            Route("/ajax/statuses/show", guarded(show)),
            Route("/ajax/statuses/longtext", guarded(long_text)),
            Route("/ajax/statuses/buildComments", guarded(build_comments)),
            Route("/ajax/statuses/mymblog", guarded(my_posts)),
            Route("/ajax/profile/getWaterFallContent", guarded(posts_with_video)),
            Route("/ajax/profile/info", guarded(profile)),
            Route("/ajax/feed/hottimeline", guarded(timeline)),
            Route("/ajax/side/hotSearch", guarded(side_hot)),
            Route("/api/config", guarded(config)),
            Route("/api/container/getIndex", guarded(get_index)),
            Route("/search", mobile_search),
            Route("/", home),
            Route("/hot/weibo/{group}", hot_page),
            Route("/hot/search", hot_search_page),
            Route("/detail/{post}", post_page),
            Route("/u/{uid}", user_page),
            Route("/n/{name}", user_page),
            Route("/{uid:int}/{post}", post_page),
            Route("/{custom}", user_page),
        ]
    )
    app.state.weibo = WeiboState()
    return app


def refused(state: WeiboState, case: str) -> Response | None:
    """Return the refusal of a case; None for none."""
    if case not in REFUSED_CALLS:
        return None
    status, body = REFUSED_CALLS[case]
    if isinstance(body, str):
        return HTMLResponse(body, status)
    return Response(status_code=status) if body is None else JSONResponse(body, status)


def guarded(answer: Any) -> Any:
    """Return a call of the sites, which answers only to scripts, and refuses as the case says."""

    async def call(request: Request) -> Response:
        state = state_of(request)
        if state.seconds:
            await asyncio.sleep(state.seconds)
        if request.headers.get("sec-fetch-mode") == "navigate" or not request.cookies.get("SUB"):
            return Response(status_code=403)
        response: Response = refused(state, state.case) or await answer(request, state)
        return response

    return call


async def visitor(request: Request) -> Response:
    """Make a visitor of a browser, as the site does at the first page."""
    state_of(request)
    target = json.dumps(request.query_params["url"])
    return HTMLResponse(f"<script>document.cookie = 'SUB={VISITOR}; path=/'; location.replace({target});</script>")


def _page(request: Request, script: str) -> Response:
    state = state_of(request)
    if not request.cookies.get("SUB"):
        return RedirectResponse(f"{state.login_base}/visitor/visitor?url={request.url}", 302)
    if state.case in REDIRECTS:
        return RedirectResponse(f"{state.login_base}{REDIRECTS[state.case]}", 302)
    return HTMLResponse(
        f"<!doctype html><meta charset=utf-8><p>微博</p><script>{'' if state.lazy else script}</script>"
    )


def _calling(request: Request, *calls: str) -> Response:
    return _page(request, _WEB.replace("CALLS", json.dumps(calls)))


async def plain(request: Request) -> Response:
    """Serve the page of a wall."""
    state_of(request)
    return HTMLResponse("<p>验证</p>")


async def home(request: Request) -> Response:
    """Serve the first page of the site and of the mobile site."""
    return _calling(request)


async def hot_page(request: Request) -> Response:
    """Serve the page of what is popular."""
    query = "since_id=0&refresh=0&group_id=102803&containerid=102803&extparam=discover%7Cnew_feed&max_id=0&count=10"
    return _calling(request, f"/ajax/feed/hottimeline?{query}", "/ajax/side/hotSearch")


async def hot_search_page(request: Request) -> Response:
    """Serve the page of the hot list."""
    return _calling(request, "/ajax/side/hotSearch")


async def post_page(request: Request) -> Response:
    """Serve the page of a post."""
    return _page(request, _POST.replace("ID", request.path_params["post"]))


async def user_page(request: Request) -> Response:
    """Serve the page of a user."""
    names = {"uid": "uid", "name": "screen_name", "custom": "custom"}
    name, value = next(iter(request.path_params.items()))
    return _calling(request, f"/ajax/profile/info?{names[name]}={value}",
                    f"/ajax/statuses/mymblog?uid={data.UID}&page=1&feature=0")  # fmt: skip


async def mobile_search(request: Request) -> Response:
    """Serve the page of search results of the mobile site."""
    return _calling(request, "/api/config", f"/api/container/getIndex?{request.url.query}&page_type=searchall")


async def show(request: Request, state: WeiboState) -> Response:
    """Answer a post."""
    name = request.query_params["id"]
    found = next((post for mid, post in data.posts().items() if name in (mid, post["mblogid"])), None)
    if found is None:
        status, body = REFUSED_CALLS["removed"]
        return JSONResponse(body, status)
    if state.case == "words_of_a_wall":
        found = {**found, "text_raw": "请求过于频繁，用户不存在"}
    if state.case == "odd":
        found = {"id": int(data.LONG), "text": "<p>只有&amp;文字<script>x()</script></p>", "user": None,
                 "attitudes_count": "赞", "comments_count": "1.2万+", "pics": {"0": {"url": "ftp://x"}, "1": {}},
                 "created_at": "坏的时间", "page_info": {"type": "article", "page_title": {"content": "文章"}},
                 "retweeted_status": {"id": 5300000000000000, "text": "抱歉，作者已删除", "user": None}}  # fmt: skip
    return JSONResponse({"ok": 1, **found})


async def long_text(request: Request, state: WeiboState) -> Response:
    """Answer the whole text of a post."""
    if state.case == "no_long_text":
        return JSONResponse({"ok": 0, "msg": "今日客满"})
    if state.case == "suspended_at_long_text":
        return JSONResponse(REFUSED_CALLS["suspended"][1])
    return JSONResponse({"ok": 1, "data": {"longTextContent": data.LONG_TEXT, "url_struct": [], "isMarkdown": False}})


async def build_comments(request: Request, state: WeiboState) -> Response:
    """Answer a page of comments, or of the replies to a comment."""
    query = request.query_params
    if refusal := refused(state, state.comments_case):
        return refusal
    if state.case == "empty":
        return JSONResponse({"ok": 1, "data": [], "total_number": 0, "max_id": 0, "trendsText": "已加载全部评论"})
    if query.get("fetch_level") == "1":
        replies = [data.comment(900 + number) for number in range(2)]
        return JSONResponse({"ok": 1, "data": replies, "max_id": 0, "total_number": 2})
    start = int(query.get("max_id") or 0)
    count = min(data.COMMENTS_PER_PAGE, data.COMMENTS_TOTAL - start)
    following = start + count if start + count < data.COMMENTS_TOTAL else 0
    answer = {"ok": 1, "data": data.comments(start, count), "max_id": following, "total_number": data.COMMENTS_TOTAL}
    return JSONResponse(answer)


async def my_posts(request: Request, state: WeiboState) -> Response:
    """Answer a page of the posts of a user, to members only."""
    if state.case == "captcha_at_posts":
        return JSONResponse(REFUSED_CALLS["captcha"][1])
    if not is_member(request):
        return JSONResponse(REFUSED_CALLS["logged_out"][1])
    listed = [] if state.case == "empty" else data.user_posts(int(request.query_params["page"]))
    since = listed[-1]["idstr"] if listed else ""
    body = {"since_id": since, "list": listed, "total": data.POSTS_TOTAL, "bottom_tips_visible": False}
    if state.case == "half_year":
        body |= {"list": [], "bottom_tips_visible": True, "bottom_tips_text": "作者只展示近半年的微博"}
    return JSONResponse({"ok": 1, "data": body})


async def posts_with_video(request: Request, state: WeiboState) -> Response:
    """Answer the posts with a video of a user."""
    listed = [data.posts()[data.VIDEO]]
    return JSONResponse({"ok": 1, "data": {"list": listed, "next_cursor": -1}})


async def profile(request: Request, state: WeiboState) -> Response:
    """Answer a profile."""
    query = request.query_params
    if (query.get("uid"), query.get("screen_name"), query.get("custom")) not in (
        (data.UID, None, None), (None, data.NAME, None), (None, None, data.CUSTOM),
    ):  # fmt: skip
        return JSONResponse({"ok": 0, "error_code": 20003, "message": "用户不存在"}, 400)
    more = {"followers_count": "100万+", "friends_count": None} if state.case == "odd" else {}
    return JSONResponse({"ok": 1, "data": {"user": data.profile(**more), "tabList": [], "blockText": ""}})


async def timeline(request: Request, state: WeiboState) -> Response:
    """Answer what is popular."""
    page = int(request.query_params["max_id"])
    listed = [] if state.case == "empty" else data.user_posts(page + 1)
    return JSONResponse({"ok": 1, "statuses": listed, "max_id": page + 1, "total_number": 100})


async def side_hot(request: Request, state: WeiboState) -> Response:
    """Answer the hot list of the site."""
    if state.case == "no_side":
        return Response(status_code=403)
    return JSONResponse({"ok": 1, "data": {"realtime": data.page_hot_words(), "hotgovs": []}})


async def config(request: Request, state: WeiboState) -> Response:
    """Tell who the visitor is."""
    member = is_member(request)
    about = {"login": True, "st": "a1b2c3", "uid": data.UID} if member else {"login": False}
    return JSONResponse({"preferQuickapp": 0, "data": about, "ok": 1})


async def get_index(request: Request, state: WeiboState) -> Response:
    """Answer the lists of the mobile site, to members only."""
    query = request.query_params
    if not is_member(request):
        return JSONResponse(REFUSED_CALLS["logged_out"][1])
    if query.get("type") == "uid":
        return JSONResponse({"ok": 1, "data": {"userInfo": data.user(), "tabsInfo": {"tabs": []}}})
    if state.case == "empty":
        return JSONResponse({"ok": 0, "msg": "这里还没有内容", "data": {"cards": []}})
    if state.case in data.CARDS_WITHOUT_POSTS:
        return JSONResponse({"ok": 1, "data": {"cards": data.CARDS_WITHOUT_POSTS[state.case]}})
    page = int(query.get("page", 1))
    cards = data.search_cards(page)
    if state.overlap and page > 1:
        cards = [*data.search_cards(page - 1)[-state.overlap :], *cards]
    if not cards:
        return JSONResponse({"ok": 0, "msg": "这里还没有内容", "data": {"cards": []}})
    return JSONResponse({"ok": 1, "data": {"cardlistInfo": {"page": page + 1, "total": 25}, "cards": cards}})


async def short_link(request: Request) -> Response:
    """Follow a short link."""
    state = state_of(request)
    code = request.path_params["code"]
    if code in SHORT_LINK_STATUSES:
        return HTMLResponse("<p>链接失效</p>", SHORT_LINK_STATUSES[code])
    target = "https://evil.example/" if code == "A6evil" else f"{state.base}/detail/{data.LONG}"
    return RedirectResponse(target, 302)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8100)
    options = parser.parse_args()
    alone = create_weibo()
    alone.state.weibo.base = alone.state.weibo.login_base = f"http://{options.host}:{options.port}"
    uvicorn.run(alone, host=options.host, port=options.port)
