"""Tests of the REST routes of the first release: bodies, error texts and HTTP statuses."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest

from tests.stand_in.platforms.xiaohongshu import data

REF = f"{data.NORMAL_NOTE}:{data.TOKEN}"


@pytest.fixture
async def http(xiaohongshu: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=xiaohongshu, timeout=60) as connected:
        yield connected


async def test_rest_search_keeps_the_original_body(http):
    answer = await http.post("/search", json={"keyword": "咖啡", "limit": 2})
    body = answer.json()
    assert answer.status_code == 200
    assert (body["status"], body["service"], body["action"], body["count"]) == (
        "success",
        "xiaohongshu",
        "search_notes",
        2,
    )
    assert {"title", "url", "author", "likes", "description"} <= set(body["data"][0])


async def test_rest_analyze_keeps_the_original_body(http, site):
    url = f"{site}/explore/{data.NORMAL_NOTE}?{httpx2.QueryParams({'xsec_token': data.TOKEN})}"
    answer = await http.post("/analyze", json={"url": url})
    body = answer.json()
    assert (answer.status_code, body["action"]) == (200, "analyze_note")
    assert set(body["data"]) == {"url", "title", "content", "tags", "likes", "comments", "shares", "author"}
    assert body["data"]["author"] == {"name": "用户7", "followers": None}
    assert "count" not in body


async def test_rest_comments_keeps_the_original_body(http):
    answer = await http.post("/comments", json={"url": REF, "limit": 4})
    body = answer.json()
    assert (answer.status_code, body["action"], body["count"]) == (200, "get_comments", 4)
    assert body["data"][0] == {"author": "用户0", "content": "评论0", "likes": 0, "time": "2023-12-10"}


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("/search", {}, "关键词不能为空"),
        ("/search", {"keyword": ""}, "关键词不能为空"),
        ("/analyze", {}, "笔记URL不能为空"),
        ("/comments", {"limit": 5}, "笔记URL不能为空"),
    ],
)
async def test_rest_keeps_the_original_validation_messages(http, path, body, detail):
    answer = await http.post(path, json=body)
    assert (answer.status_code, answer.json()) == (400, {"detail": detail})


@pytest.mark.parametrize("path", ["/search", "/analyze", "/comments"])
async def test_rest_answers_422_to_a_body_that_is_not_an_object(http, path):
    assert (await http.post(path, json="x")).status_code == 422


async def test_rest_failures_have_the_http_status_of_their_code(http):
    answer = await http.post("/search", json={"keyword": "登录墙"})
    body = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (401, "error", "LOGIN_REQUIRED")
    assert body["next_step"]
