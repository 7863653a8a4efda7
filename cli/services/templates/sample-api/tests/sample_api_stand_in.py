"""Stands in for the platform's API in tests: serves invented items, and every refusal.

`python -m sample_api_stand_in --port 8100` runs it alone. The first part of the path is the case to serve.
"""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Annotated

import uvicorn
from fastapi import FastAPI, Header, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

ITEMS = 120
TOKEN = "token-of-the-stand-in"

app = FastAPI()
#: Number of requests by path.
requests: Counter[str] = Counter()


def item(number: int) -> dict[str, object]:
    """Return the item with this number, 1 to ITEMS, with fields that no tool needs."""
    return {
        "id": number,
        "title": f"第 {number} 条",
        "body": f"<p>正文 <b>{number}</b></p>" + ("<p>偶数</p>" if number % 2 == 0 else ""),
        "url": f"https://platform.example/items/{number}",
        "author": {"name": "测试", "avatar": "https://platform.example/avatar.png", "followers": 3},
        "updated_at": f"2026-01-{1 + number % 28:02d}T08:00:00+08:00",
        "thumbnails": [{"url": "https://platform.example/small.png", "width": 100}],
    }


def refusal(case: str, authorization: str | None) -> Response | None:
    """Return the answer that refuses a request, or None."""
    if authorization != f"Bearer {TOKEN}":
        return JSONResponse({"message": f"Bad credentials: {authorization}"}, 401)
    if case == "limited":
        return JSONResponse({"message": "Slow down"}, 429, {"Retry-After": "120"})
    if case == "page":
        return HTMLResponse("<html>no API</html>")
    if case == "changed":
        return JSONResponse({"items": [{"name": "without an id"}]})
    return JSONResponse({"message": "refused"}, int(case)) if case.isdigit() else None


Authorization = Annotated[str | None, Header()]


@app.get("/{case}/v1/items")
async def list_items(
    case: str, request: Request, q: str = "", page_size: int = 10, cursor: int = 1, authorization: Authorization = None
) -> Response:
    """Return a page of the items that match, or the refusal that `case` names."""
    requests[request.url.path] += 1
    if refused := refusal(case, authorization):
        return refused
    matches = [number for number in range(1, ITEMS + 1) if q in str(item(number))]
    page = [number for number in matches if number >= cursor][: page_size + 1]
    following = page[page_size] if len(page) > page_size else None
    content = {"items": [item(number) for number in page[:page_size]], "next_cursor": following}
    return JSONResponse(content, headers={"x-ratelimit-limit": "100", "x-ratelimit-remaining": "99"})


@app.get("/{case}/v1/items/{number}")
async def get_item(case: str, number: int, request: Request, authorization: Authorization = None) -> Response:
    """Return an item, or the refusal that `case` names."""
    requests[request.url.path] += 1
    if refused := refusal(case, authorization):
        return refused
    if not 1 <= number <= ITEMS:
        return JSONResponse({"message": "No such item"}, 404, {"x-request-id": "request-1"})
    return JSONResponse(item(number))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8100)
    options = parser.parse_args()
    uvicorn.run(app, host=options.host, port=options.port)
