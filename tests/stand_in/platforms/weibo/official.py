"""Answers the official API of the stand-in for Weibo."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.stand_in.platforms.weibo import data
from tests.stand_in.platforms.weibo.state import WeiboState, state_of

APP_ID, APP_SECRET = "2882303761", "a-secret-of-the-app"


async def token(request: Request) -> Response:
    """Issue a token of the official API."""
    state = state_of(request)
    if await request.json() != {"app_id": APP_ID, "app_secret": APP_SECRET}:
        return JSONResponse({"code": 40100, "message": "invalid app_id or app_secret"})
    state.tokens += 1
    return JSONResponse({"code": 0, "message": "success", "data": {"token": f"token-{state.tokens}-abcdef", "uid": 1,
                                                                    "expire_in": 7200}})  # fmt: skip


def _api_refusal(request: Request, state: WeiboState) -> Response | None:
    current = f"token-{state.tokens}-abcdef"
    if request.query_params.get("token") != current or (state.api_case == "expired" and state.tokens == 1):
        return JSONResponse({"code": 40100, "message": "token invalid"})
    if state.api_case == "refused":
        return JSONResponse({"code": 50300, "message": "服务暂不可用"})
    if state.api_case == "quota":
        return JSONResponse({"code": 429, "message": "too many requests"}, 429, {"Retry-After": "3600"})
    return None


async def hot_search(request: Request) -> Response:
    """Answer a hot list of the official API."""
    state = state_of(request)
    if refusal := _api_refusal(request, state):
        return refusal
    words = [] if state.api_case == "empty" else data.hot_words(int(request.query_params["count"]))
    if state.api_case == "odd":
        words = [{"word": "只有词"}, {"id": 2, "word": "<b>标签</b>&amp;", "num": "12.5万", "flag": "16"}]
    body = {"callTime": "2026-11-29 16:37", "source": "来自于微博热搜", "data": words}
    return JSONResponse({"code": 0, "message": "success", "data": body})


async def summary(request: Request) -> Response:
    """Answer a summary of the official API."""
    state = state_of(request)
    if refusal := _api_refusal(request, state):
        return refusal
    body: dict[str, Any] = {"completed": True, "callTime": "2026-11-29 16:37", "source": "来自于微博智搜"}
    if state.api_case == "nothing":
        body |= {"noContent": True, "message": "没有找到相关内容"}
    elif state.api_case == "writing":
        body |= {"completed": False, "analyzing": True, "content": "写了一半"}
    else:
        body |= {"analyzing": False, "content": "## 摘要\n" + "内容" * 300, "contentFormat": "markdown",
                 "referenceCount": 5, "query": request.query_params["query"]}  # fmt: skip
    return JSONResponse({"code": 0, "message": "success", "data": body})
