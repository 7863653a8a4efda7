"""Stands in for the upstream in tests: serves a JSON Feed of invented entries, and every failure of a feed.

`python -m template_stand_in --port 8100` runs it alone. The first part of the path is the case to serve.
"""

from __future__ import annotations

import argparse
from collections import Counter

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

ENTRIES = 25
PAGE = 10
VERSION = "https://jsonfeed.org/version/1.1"

app = FastAPI()
#: Number of requests by path and query.
requests: Counter[str] = Counter()


def entry(number: int) -> dict[str, object]:
    """Return the entry with this number, 1 to ENTRIES."""
    return {
        "id": f"entry-{number}",
        "url": f"https://feed.example/{number}",
        "title": f"第 {number} 条",
        "content_html": f"<p>正文 <b>{number}</b></p><script>hidden()</script>"
        + ("<p>偶数</p>" if number % 2 == 0 else ""),
        "date_published": f"2026-01-{number:02d}T08:00:00+08:00",
        "authors": [{"name": "测试"}],
        "tags": ["样例"],
    }


@app.get("/{case}/feed.json")
async def feed(case: str, request: Request, start: int = 1) -> Response:
    """Return a page of the feed, or the failure that `case` names."""
    requests[f"{request.url.path}?{request.url.query}".rstrip("?")] += 1
    if case == "limited":
        return JSONResponse({}, 429, headers={"Retry-After": "120"})
    if case.isdigit():
        return JSONResponse({}, int(case))
    if case == "page":
        return HTMLResponse("<html>no feed</html>")
    numbers = range(start, min(start + PAGE, ENTRIES + 1))
    content: dict[str, object] = {"version": VERSION, "title": "样例来源", "items": [entry(n) for n in numbers]}
    if case == "elsewhere":
        content["next_url"] = "http://elsewhere.example/feed.json"
    elif case == "endless":
        content["next_url"] = f"feed.json?start=1&again={request.url.query.count('again')}{start}{len(requests)}"
    elif start + PAGE <= ENTRIES:
        content["next_url"] = f"feed.json?start={start + PAGE}"
    return JSONResponse(content)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8100)
    options = parser.parse_args()
    uvicorn.run(app, host=options.host, port=options.port)
