"""Takes the place of Zhihu: its official API with quotas and refusals, and its site with a login by QR code.

`python -m tests.stand_in.platforms.zhihu.site --port 8100` runs it alone; set ZHIHU_API_URL and ZHIHU_BASE_URL to its address.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.stand_in.platforms.zhihu import data
from tests.stand_in.platforms.zhihu.pages import page_routes

SECRET = "zh1_secret_of_a_test_5f2c9a"
TOTALS = {"zhihu_search": 5000, "global_search": 5000, "hot_list": 100, "question_answers": 100}
Handler = Callable[[Request, "ZhihuState"], Any]


@dataclass
class ZhihuState:
    """Holds what Zhihu received and how it behaves; tests change it.

    Switches of the official API: `expired` (the secret), `limited` (too fast), `used-up` (the day's quota, with the
    same code), `quota` (a quota beside the daily one), `risk`, `internal`, `api-empty`, `api-changed`, `api-odd`,
    `no-quotas`, `no-paging`. Switches of the site: `login-wall`, `captcha`, `page-forbidden`, `down`, `removed`, `changed` (no
    state), `moved` (another state), `empty`, `odd`, `paid`, and refusals of calls such as `search-captcha`,
    `feeds-limited`, `comments-login`, `search-signature`. `unfiltered` searches without order and kind, `reordered` ranks results otherwise, and
    `stalled` brings no further ones. `slow` is of both. `scan` is the state of the login by QR
    code: `waiting`, `scanned` or `confirmed`.
    """

    requests: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    switches: set[str] = field(default_factory=set)
    used: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TOTALS, 0))
    scan: str = "waiting"

    def reset(self) -> None:
        """Forget all requests, and behave as usual."""
        self.__dict__.update(ZhihuState().__dict__)

    def count(self, start: str) -> int:
        """Return how many requests began with these words, such as `GET /hot`."""
        return sum(request.startswith(start) for request in self.requests)


def create_zhihu() -> Starlette:
    """Return Zhihu as an application; `app.state.zhihu` is its ZhihuState."""
    app = Starlette(
        routes=[
            _route("zhihu_search", _zhihu_search),
            _route("global_search", _global_search),
            _route("hot_list", _hot_list),
            _route("question_answers", _question_answers),
            Route("/api/v1/quota", _quota),
            Route("/v1/chat/completions", _chat, methods=["POST"]),
            *page_routes(),
        ]
    )
    app.state.zhihu = ZhihuState()
    return app


def _route(name: str, handler: Handler) -> Route:
    async def answer(request: Request) -> Response:
        state, refusal = await _received(request)
        if refusal:
            return refusal
        if "used-up" in state.switches:
            state.used[name] = TOTALS[name]
        if "limited" in state.switches or state.used[name] >= TOTALS[name]:
            return _refusal(30001, "请求过于频繁或当日额度超过限制")
        if "quota" in state.switches:
            return _refusal(30002, "配额已用完")
        state.used[name] += 1
        if "api-changed" in state.switches:
            return _success({"Items": [{"Name": "别的字段"}]})
        if "api-empty" in state.switches:
            return _success({"Items": [], "EmptyReason": "没有匹配的内容", "Paging": {"IsEnd": True}})
        return _success(handler(request, state))

    return Route(f"/api/v1/content/{name}", answer)


async def _received(request: Request) -> tuple[ZhihuState, Response | None]:
    """Note a request to the official API; return the refusal that concerns every part of it, or None."""
    state: ZhihuState = request.app.state.zhihu
    query = f"?{request.url.query}" if request.url.query else ""
    state.requests.append(f"{request.method} {request.url.path}{query}")
    state.headers.append(dict(request.headers))
    if "slow" in state.switches:
        await asyncio.sleep(0.2)
    stamp = request.headers.get("x-request-timestamp", "")
    known = request.headers.get("authorization") == f"Bearer {SECRET}"
    if "expired" in state.switches or not known or not stamp.isdecimal() or abs(time.time() - int(stamp)) > 300:
        return state, _refusal(20001, "鉴权失败")
    if "risk" in state.switches:
        return state, _refusal(30003, "请求被风控拒绝")
    if "internal" in state.switches:
        return state, _refusal(90001, "服务内部错误")
    return state, None


def _success(content: Any) -> Response:
    return JSONResponse({"Code": 0, "Message": "success", "Data": content})


def _refusal(code: int, message: str) -> Response:
    return JSONResponse({"Code": code, "Message": message, "Data": None})


def _zhihu_search(request: Request, state: ZhihuState) -> Any:
    count = min(int(request.query_params.get("Count", 10)), 10)
    items = [data.official_result(number) for number in range(1, count + 1)]
    if "api-odd" in state.switches:
        items = [
            {"Title": "<p>只有标题</p>\u200b", "VoteUpCount": "1.2万", "EditTime": "1745486539", "Url": None},
            {"Url": "javascript:alert(1)", "Title": None, "CommentInfoList": "x", "AuthorName": 5},
        ]
    return {"HasMore": False, "SearchHashId": "1", "Items": items, "EmptyReason": ""}


def _global_search(request: Request, _: ZhihuState) -> Any:
    count = min(int(request.query_params.get("Count", 10)), 20)
    return {"HasMore": True, "Items": [data.official_result(number, web=True) for number in range(1, count + 1)]}


def _hot_list(request: Request, _: ZhihuState) -> Any:
    limit = min(int(request.query_params.get("Limit", 30)), 30)
    return {"Total": limit, "Items": [data.official_hot(number) for number in range(1, limit + 1)]}


def _question_answers(request: Request, state: ZhihuState) -> Any:
    offset, limit = int(request.query_params["Offset"]), int(request.query_params["Limit"])
    last = min(offset + limit, data.ANSWERS)
    items = [data.official_answer(int(data.ANSWER) + number) for number in range(offset, last)]
    # Answers without a summary are left out, so that a page can have fewer than `Limit`.
    paging: dict[str, Any] = {"IsEnd": last >= data.ANSWERS, "Totals": data.ANSWERS}
    if last < data.ANSWERS:
        paging["NextOffset"] = last
    if "no-paging" in state.switches:
        return {"Items": items}
    return {"Items": items[1:] if len(items) > 2 else items, "Paging": paging}


async def _quota(request: Request) -> Response:
    state, refusal = await _received(request)
    if refusal:
        return refusal
    if "no-quotas" in state.switches:
        return _refusal(90001, "读取失败")
    return _success(data.quotas(state.used, TOTALS))


async def _chat(request: Request) -> Response:
    state, refusal = await _received(request)
    if refusal:
        return refusal
    body = await request.json()
    if "limited" in state.switches:
        return JSONResponse({"error": {"message": "too many requests"}}, 429)
    message = {
        "role": "assistant",
        "reasoning_content": "先想一想",
        "content": f"关于{body['messages'][0]['content']}：看情况。",
    }
    choices = [] if "api-empty" in state.switches else [{"index": 0, "message": message, "finish_reason": "stop"}]
    return JSONResponse({"id": "chatcmpl-1", "model": body["model"], "choices": choices})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8100)
    options = parser.parse_args()
    uvicorn.run(create_zhihu(), host=options.host, port=options.port)
