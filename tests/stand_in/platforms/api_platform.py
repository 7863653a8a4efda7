"""Takes the place of API platforms: GitHub's headers and links, Zhihu's envelope, tokens, redirects and odd answers."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

ETAG = 'W/"1f8dd9cdbf5d"'
ISSUES = [{"number": number, "title": f"issue {number}", "state": "open"} for number in range(1, 26)]
REPOSITORY = {
    "full_name": "octocat/hello",
    "owner": {"login": "octocat"},
    "html_url": "https://github.com/octocat/hello",
    "description": "First",
    "stargazers_count": 80,
    "archived": False,
}
ODD_BODIES: dict[str, tuple[bytes, str]] = {
    "html": (b"<html><title>Login</title></html>", "text/html; charset=utf-8"),
    "nan": (b'{"value": NaN}', "application/json"),
    "cut": (b'{"value": [1, 2', "application/json"),
    "deep": (b"[" * 100_000, "application/json"),
    "not-utf8": (b'{"value": "\xd6\xd0\xce\xc4"}', "application/json"),
    "gbk": ('{"value": "中文"}'.encode("gbk"), "application/json; charset=GBK"),
    "wrong-charset": (b"{}", "application/json; charset=klingon"),
}


@dataclass
class ApiState:
    """Holds what the platform received and how it behaves; tests change it."""

    requests: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    remaining: dict[str, int] = field(default_factory=lambda: {"core": 59, "search": 10})
    failures: int = 0
    tokens_issued: int = 0
    token_seconds: object = 7200
    valid_token: str = ""
    open_slow: int = 0
    release: threading.Event = field(default_factory=threading.Event)


def create_platform() -> Starlette:
    """Return the platform as an application; `app.state.api` is its ApiState."""
    app = Starlette(
        routes=[
            Route("/repos/{owner}/{repo}", _repository),
            Route("/repositories/1", _repository),
            Route("/repos/{owner}/{repo}/issues", _issues),
            Route("/search/repositories", _search),
            Route("/rate/{kind}", _rate),
            Route("/api/v1/content/{name}", _zhihu),
            Route("/oauth/token", _token, methods=["POST"]),
            Route("/private", _private, methods=["GET", "POST"]),
            Route("/open/weibo/hot_search", _weibo),
            Route("/slow", _slow, methods=["GET", "POST"]),
            Route("/drip", _drip),
            Route("/odd/{kind}", _odd, methods=["GET", "POST"]),
            Route("/redirect", _redirect, methods=["GET", "POST"]),
            Route("/circle", _circle),
            Route("/flaky", _flaky, methods=["GET", "POST"]),
            Route("/status/{status:int}", _status, methods=["GET", "POST"]),
            Route("/cursor/{kind}", _cursor),
            Route("/echo/{rest:path}", _echo, methods=["GET", "POST"]),
        ]
    )
    app.state.api = ApiState()
    return app


async def _note(request: Request) -> ApiState:
    state: ApiState = request.app.state.api
    query = f"?{request.url.query}" if request.url.query else ""
    state.requests.append(f"{request.method} {request.scope['raw_path'].decode()}{query}")
    state.headers.append(dict(request.headers))
    state.bodies.append(await request.body())
    return state


def _limit_headers(state: ApiState, resource: str) -> dict[str, str]:
    state.remaining[resource] = max(0, state.remaining[resource] - 1)
    return {
        "x-ratelimit-limit": "60",
        "x-ratelimit-remaining": str(state.remaining[resource]),
        "x-ratelimit-used": "1",
        "x-ratelimit-reset": str(int(time.time()) + 1800),
        "x-ratelimit-resource": resource,
        "x-github-request-id": "C0DE:1A2B:3C4D",
    }


async def _repository(request: Request) -> Response:
    state = await _note(request)
    if request.path_params.get("repo") == "renamed":
        return RedirectResponse(str(request.url.replace(path="/repositories/1")), 301)
    if request.headers.get("if-none-match") == ETAG:
        # GitHub does not count these.
        return Response(status_code=304, headers={"etag": ETAG, "x-github-request-id": "C0DE:0:304"})
    headers = {**_limit_headers(state, "core"), "etag": ETAG, "cache-control": "private, max-age=60, s-maxage=60"}
    if request.path_params.get("repo") == "missing":
        body = {"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"}
        return JSONResponse(body, 404, headers)
    return JSONResponse(REPOSITORY, headers=headers)


async def _issues(request: Request) -> Response:
    state = await _note(request)
    page, size = int(request.query_params.get("page", "1")), int(request.query_params.get("per_page", "30"))
    headers = _limit_headers(state, "core")
    if page * size < len(ISSUES):
        following = request.url.include_query_params(page=page + 1)
        last = request.url.include_query_params(page=-(-len(ISSUES) // size))
        headers["link"] = f'<{following}>; rel="next", <{last}>; rel="last"'
    return JSONResponse(ISSUES[(page - 1) * size : page * size], headers=headers)


async def _search(request: Request) -> Response:
    state = await _note(request)
    headers = _limit_headers(state, "search")
    if len(request.query_params.get("q", "")) > 256:
        error = {"resource": "Search", "field": "q", "code": "invalid", "message": "The search is too long."}
        return JSONResponse({"message": "Validation Failed", "errors": [error], "status": "422"}, 422, headers)
    return JSONResponse({"total_count": 1, "incomplete_results": False, "items": [REPOSITORY]}, headers=headers)


async def _rate(request: Request) -> Response:
    """Refuse in one of the forms in which platforms state a rate limit."""
    await _note(request)
    message = {"message": "API rate limit exceeded for 203.0.113.7.", "documentation_url": "https://docs.github.com"}
    forms: dict[str, tuple[int, dict[str, str], Any]] = {
        "primary": (
            403,
            {"x-ratelimit-limit": "60", "x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 900)},
            message,
        ),
        "secondary": (403, {}, {"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}),
        "retry-after": (429, {"retry-after": "120"}, {"error": {"message": "Too many requests"}}),
        "draft": (429, {"ratelimit": '"default";r=0;t=300', "ratelimit-policy": '"default";q=100;w=600'}, {}),
        "three-headers": (
            429,
            {"ratelimit-limit": "100", "ratelimit-remaining": "0", "ratelimit-reset": "45"},
            {},
        ),
        "silent": (429, {}, {}),
        "forbidden": (403, {}, {"message": "Resource not accessible by personal access token"}),
    }
    status, headers, body = forms[request.path_params["kind"]]
    return JSONResponse(body, status, headers)


async def _zhihu(request: Request) -> Response:
    """Answer in Zhihu's envelope, in which every answer has status 200."""
    state = await _note(request)
    if request.headers.get("authorization") != "Bearer zhihu-secret" or "x-request-timestamp" not in request.headers:
        return JSONResponse({"Code": 20001, "Message": "invalid access secret", "Data": None})
    name = request.path_params["name"]
    if name == "used_up":
        return JSONResponse({"Code": 30002, "Message": "quota used up", "Data": None})
    if name == "unknown":
        return JSONResponse({"Code": 12345, "Message": "something <b>new</b>", "Data": None})
    state.remaining["core"] -= 1
    items = [{"Title": "热点", "Url": "https://www.zhihu.com/question/1", "ThumbnailUrl": "", "Summary": "摘要"}]
    return JSONResponse({"Code": 0, "Message": "", "Data": {"Items": items}})


async def _token(request: Request) -> Response:
    state = await _note(request)
    form = await request.form()
    basic = "Basic YXBwOnNlY3JldC12YWx1ZQ=="  # app:secret-value
    if request.headers.get("authorization") != basic and form.get("client_secret") != "secret-value":
        text = f"Client authentication failed for {form.get('client_secret')}"
        return JSONResponse({"error": "invalid_client", "error_description": text}, 401)
    # A real token endpoint takes a moment, in which other calls arrive.
    await asyncio.sleep(0.05)
    state.tokens_issued += 1
    state.valid_token = f"token-number-{state.tokens_issued}"
    return JSONResponse({"access_token": state.valid_token, "token_type": "Bearer", "expires_in": state.token_seconds})


async def _private(request: Request) -> Response:
    state = await _note(request)
    if not state.valid_token or request.headers.get("authorization") != f"Bearer {state.valid_token}":
        return JSONResponse({"message": f"Bad credentials: {request.headers.get('authorization')}"}, 401)
    return JSONResponse({"ok": True})


async def _weibo(request: Request) -> Response:
    """Answer in Weibo's envelope, which takes the token in the query and refuses it with status 200."""
    state = await _note(request)
    if not state.valid_token or request.query_params.get("token") != state.valid_token:
        return JSONResponse({"code": 40100, "message": "invalid token"})
    return JSONResponse({"code": 0, "data": {"source": "来自于微博热搜", "data": [{"word": "热搜", "num": 10}]}})


async def _slow(request: Request) -> Response:
    """Answer only when the test says so."""
    state = await _note(request)
    state.open_slow += 1
    try:
        while not state.release.is_set() and not await request.is_disconnected():
            await asyncio.sleep(0.01)
    finally:
        state.open_slow -= 1
    return JSONResponse({"ok": True})


async def _drip(request: Request) -> Response:
    """Send a byte now and then, without an end."""
    await _note(request)

    async def drops() -> Any:
        while not await request.is_disconnected():
            yield b" "
            await asyncio.sleep(0.02)

    return StreamingResponse(drops(), media_type="application/json")


async def _odd(request: Request) -> Response:
    await _note(request)
    kind = request.path_params["kind"]
    if kind == "mark":
        return Response("\ufeff{}".encode(), media_type="application/json")
    if kind == "empty":
        return Response(status_code=204)
    content, media_type = ODD_BODIES[kind]
    return Response(content, media_type=media_type)


async def _redirect(request: Request) -> Response:
    await _note(request)
    return RedirectResponse(request.query_params["to"], int(request.query_params.get("status", "302")))


async def _circle(request: Request) -> Response:
    await _note(request)
    return RedirectResponse("/circle")


async def _flaky(request: Request) -> Response:
    """Fail as often as the test says, then answer."""
    state = await _note(request)
    if state.failures > 0:
        state.failures -= 1
        return JSONResponse({"message": "Server Error"}, 502, {"x-request-id": "flaky-1"})
    return JSONResponse({"ok": True})


async def _status(request: Request) -> Response:
    await _note(request)
    headers = {"x-request-id": "status-1"}
    if request.query_params.get("wait"):
        headers["retry-after"] = request.query_params["wait"]
    return JSONResponse({"message": "status"}, request.path_params["status"], headers)


async def _cursor(request: Request) -> Response:
    """Answer one of three pages; the kind says how the next one is named."""
    await _note(request)
    kind = request.path_params["kind"]
    at = int(request.query_params.get("cursor", "0"))
    more = at < 2
    data: dict[str, Any] = {"items": [at * 2, at * 2 + 1], "has_more": more, "cursor": at + 1}
    if kind == "endless":
        data |= {"has_more": True, "cursor": at + 1}
    if kind == "repeating":
        data |= {"has_more": True, "cursor": min(at + 1, 1)}
    if kind == "no-list":
        data = {"items": None}
    paging = {"is_end": not more, "next": str(request.url.include_query_params(cursor=at + 1))}
    if kind == "no-address":
        paging["next"] = "http://[::1"
    if kind == "elsewhere":
        paging["next"] = "http://elsewhere.example/cursor"
    return JSONResponse({"data": data, "paging": paging})


async def _echo(request: Request) -> Response:
    await _note(request)
    return JSONResponse({"headers": dict(request.headers), "query": dict(request.query_params)})
