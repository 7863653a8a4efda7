"""The xiaohongshu service through a real headless Chromium against the stand-in site."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from dyber_kit import Settings
from dyber_kit.server import build_server
from mcp import Client
from mcp.types import CallToolResult
from stand_in import xiaohongshu_data as data
from stand_in.running import free_port, running
from xiaohongshu_server.config import SiteSettings
from xiaohongshu_server.service import build_app

REF = f"{data.NORMAL_NOTE}:{data.TOKEN}"


class Caller:
    """Calls tools of the service at `base`, each over a connection of its own."""

    def __init__(self, base: str) -> None:
        self._base = base

    async def call_tool(self, tool: str, arguments: dict[str, object]) -> CallToolResult:
        async with Client(f"{self._base}/mcp") as client:
            return await client.call_tool(tool, arguments)


@pytest.fixture
def client(xiaohongshu: str) -> Caller:
    return Caller(xiaohongshu)


@pytest.fixture
async def http(xiaohongshu: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=xiaohongshu, timeout=60) as connected:
        yield connected


async def call(client: Caller, tool: str, **arguments: object) -> dict:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content[0].text
    return result.structured_content


async def refusal(client: Caller, tool: str, **arguments: object) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result.structured_content
    return result.content[0].text


async def test_the_service_is_ready_once_its_browser_runs(http):
    answer = await http.get("/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")


async def test_a_search_returns_notes_with_numbers(client):
    found = await call(client, "xhs_search_notes", keyword="咖啡", limit=3)
    first = found["items"][0]
    assert [item["title"] for item in found["items"]] == ["咖啡笔记0", "咖啡笔记1", "咖啡笔记2"]
    assert (first["note_ref"], first["likes"], first["author"]["name"]) == (REF, 17_000, "用户0")
    assert (found["items"][1]["likes"], found["items"][1]["lower_bounds"]) == (100_000, ["likes"])
    assert found["items"][2]["likes"] is None
    assert found["complete"] is False


async def test_a_large_limit_scrolls_for_more_pages(client):
    found = await call(client, "xhs_search_notes", keyword="茶", limit=40)
    assert found["count"] == 40
    assert len({item["note_ref"] for item in found["items"]}) == 40


@pytest.mark.parametrize("keyword", ["慢", "裸引用"])
async def test_slow_pages_and_plain_state_are_read_too(client, keyword):
    assert (await call(client, "xhs_search_notes", keyword=keyword, limit=1))["count"] == 1


async def test_nothing_is_found_only_when_the_site_says_so(client):
    found = await call(client, "xhs_search_notes", keyword="空")
    assert (found["items"], found["complete"]) == ([], True)


@pytest.mark.parametrize(
    ("keyword", "code"),
    [
        ("登录墙", "LOGIN_REQUIRED"),
        ("验证码", "CAPTCHA_REQUIRED"),
        ("频繁", "RATE_LIMITED"),
        ("改版", "UPSTREAM_CHANGED"),
        ("故障", "UPSTREAM_UNREACHABLE"),
        ("跳转验证", "CAPTCHA_REQUIRED"),
        ("受限", "ACCESS_RESTRICTED"),
    ],
)
async def test_a_wall_is_an_error_and_never_an_empty_result(client, keyword, code):
    text = await refusal(client, "xhs_search_notes", keyword=keyword)
    assert text.startswith(f"{code}：")
    assert "下一步：" in text


async def test_login_required_says_where_to_put_the_session(client):
    assert "/data/storage_state.json" in await refusal(client, "xhs_search_notes", keyword="登录墙")


async def test_a_note_has_text_tags_counts_and_first_comments(client):
    note = await call(client, "xhs_get_note", note=REF, comments=3, include_replies=True)
    assert (note["title"], note["tags"], note["published_at"]) == (
        "手冲咖啡入门",
        ["咖啡", "手冲"],
        "2023-12-10T08:00:00Z",
    )
    assert (note["likes"], note["collects"], note["shares"], note["comments_total"]) == (17_000, 100_000, 9, 25)
    assert note["lower_bounds"] == ["collects"]
    assert [comment["content"] for comment in note["comments"]] == ["评论0", "评论1", "评论2"]
    assert note["comments"][0]["replies"][0]["content"] == "回复0"
    assert note["warnings"] == []


async def test_a_note_is_read_without_comments_when_none_are_wanted(client):
    note = await call(client, "xhs_get_note", note=f"{data.SLOW_NOTE}:{data.TOKEN}", comments=0)
    assert (note["title"], note["comments"]) == ("手冲咖啡入门", [])


async def test_comments_are_loaded_by_scrolling_until_the_end(client):
    found = await call(client, "xhs_get_comments", note=REF, limit=100)
    assert [item["comment_id"] for item in found["items"]] == [f"comment-{n}" for n in range(data.COMMENT_TOTAL)]
    assert (found["complete"], found["total"]) == (True, data.COMMENT_TOTAL)


async def test_a_part_of_the_comments_is_marked_as_a_part(client):
    found = await call(client, "xhs_get_comments", note=REF, limit=5)
    assert (found["count"], found["complete"]) == (5, False)


async def test_a_note_without_comments_has_none(client):
    found = await call(client, "xhs_get_comments", note=f"{data.NO_COMMENTS_NOTE}:{data.TOKEN}")
    assert (found["items"], found["complete"], found["total"]) == ([], True, 0)


async def test_a_bare_id_works_after_a_search_brought_its_token(client):
    await call(client, "xhs_search_notes", keyword="咖啡", limit=1)
    assert (await call(client, "xhs_get_note", note=data.NORMAL_NOTE, comments=0))["note_ref"] == REF


async def test_a_note_that_quotes_a_wall_is_still_a_note(client):
    note = await call(client, "xhs_get_note", note=f"{data.QUOTING_NOTE}:{data.TOKEN}", comments=0)
    assert "请通过验证" in note["content"]


@pytest.mark.parametrize(
    ("note_id", "code", "shown"),
    [
        (data.REMOVED_NOTE, "NOT_FOUND", "该笔记已被删除"),
        (data.PRIVATE_NOTE, "ACCESS_RESTRICTED", "仅作者可见"),
        (data.RATE_LIMITED_NOTE, "RATE_LIMITED", "10 分钟"),
        (data.LOGIN_NOTE, "LOGIN_REQUIRED", "登录"),
        (data.CAPTCHA_NOTE, "CAPTCHA_REQUIRED", "验证"),
        (data.MISSING_NOTE, "NOT_FOUND", "不存在"),
    ],
)
async def test_a_note_that_cannot_be_read_says_why(client, note_id, code, shown):
    text = await refusal(client, "xhs_get_note", note=f"{note_id}:{data.TOKEN}")
    assert text.startswith(f"{code}：")
    assert shown in text


async def test_a_note_without_its_token_says_that_the_token_is_missing(client):
    text = await refusal(client, "xhs_get_note", note=data.PRIVATE_NOTE)
    assert text.startswith("NOT_FOUND：")
    assert "xsec_token" in text


async def test_a_wall_before_the_comments_leaves_the_note_readable(client):
    note = await call(client, "xhs_get_note", note=f"{data.COMMENT_WALL_NOTE}:{data.TOKEN}", comments=5)
    assert note["title"] == "手冲咖啡入门"
    assert note["comments"] == []
    assert "LOGIN_REQUIRED" in note["warnings"][0]


async def test_a_wall_before_the_comments_is_an_error_for_the_comments(client):
    text = await refusal(client, "xhs_get_comments", note=f"{data.COMMENT_WALL_NOTE}:{data.TOKEN}")
    assert text.startswith("LOGIN_REQUIRED：")


async def test_a_foreign_link_is_refused(client):
    text = await refusal(client, "xhs_get_note", note=f"http://169.254.169.254/explore/{data.NORMAL_NOTE}")
    assert text.startswith("INVALID_ARGUMENT：链接不属于小红书")


async def test_a_session_file_logs_the_browser_in_without_a_restart(client, site, xiaohongshu_data):
    before = await call(client, "xhs_login_status")
    assert (before["logged_in"], before["session_file_present"]) == (False, False)
    session = xiaohongshu_data / "storage_state.json"
    host = httpx2.URL(site).host
    cookie = {
        "name": "web_session", "value": "SECRET", "domain": host, "path": "/", "expires": -1,
        "httpOnly": True, "secure": False, "sameSite": "Lax",
    }  # fmt: skip
    try:
        with open(os.open(session, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            json.dump({"cookies": [cookie], "origins": []}, file)
        status = await client.call_tool("xhs_login_status", {})
        assert status.structured_content["logged_in"] is True
        assert status.structured_content["nickname"] == "测试账号"
        assert "SECRET" not in status.content[0].text
        assert (await call(client, "xhs_search_notes", keyword="登录墙", limit=1))["count"] == 1
    finally:
        session.unlink()
    assert (await call(client, "xhs_login_status"))["logged_in"] is False


@pytest.mark.parametrize("content", ["{", "[]", '{"cookies": 3}'])
async def test_a_broken_session_file_is_named_and_does_no_lasting_harm(client, xiaohongshu_data, content):
    session = xiaohongshu_data / "storage_state.json"
    try:
        session.write_text(content)
        assert "会话文件无法读取" in await refusal(client, "xhs_search_notes", keyword="咖啡")
    finally:
        session.unlink()
    assert (await call(client, "xhs_search_notes", keyword="咖啡", limit=1))["count"] == 1


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
async def test_rest_answers_422_to_a_body_that_is_no_object(http, path):
    assert (await http.post(path, json="x")).status_code == 422


async def test_rest_failures_have_a_true_status(http):
    answer = await http.post("/search", json={"keyword": "登录墙"})
    body = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (401, "error", "LOGIN_REQUIRED")
    assert body["next_step"]


async def test_an_unreachable_site_is_named_as_such(chromium):
    site = SiteSettings(base_url=f"http://127.0.0.1:{free_port()}", chromium_path=chromium, page_seconds=20)
    with running(build_server(build_app(Settings(port=free_port()), site))) as base:
        text = await refusal(Caller(base), "xhs_search_notes", keyword="咖啡")
    assert text.startswith("UPSTREAM_UNREACHABLE：无法连接小红书")


async def test_a_page_that_never_loads_ends_with_a_timeout_and_frees_the_browser(chromium, site):
    settings = SiteSettings(base_url=site, chromium_path=chromium, page_seconds=3, queue_seconds=0)
    with running(build_server(build_app(Settings(port=free_port()), settings))) as base:
        assert (await refusal(Caller(base), "xhs_search_notes", keyword="卡住")).startswith("TIMEOUT：")
        assert (await call(Caller(base), "xhs_search_notes", keyword="咖啡", limit=1))["count"] == 1


async def test_a_missing_browser_leaves_the_service_up_but_not_ready(site):
    settings = SiteSettings(base_url=site, chromium_path="/nonexistent/chromium")
    with running(build_server(build_app(Settings(port=free_port()), settings))) as base:
        async with httpx2.AsyncClient() as http:
            ready = await http.get(f"{base}/ready")
            health = await http.get(f"{base}/health")
    assert (ready.status_code, health.status_code) == (503, 200)
    assert "/nonexistent/chromium" in ready.json()["reason"]


def browser_processes() -> set[int]:
    """Ids of the main Chromium processes below this test process."""
    parents, browsers = {}, set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            pid, command = int(entry.name), (entry / "cmdline").read_bytes()
            parents[pid] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if b"--remote-debugging-pipe" in command and b"--type=" not in command:
                browsers.add(pid)

    def is_ours(pid: int) -> bool:
        while pid in parents and pid != os.getpid():
            pid = parents[pid]
        return pid == os.getpid()

    return {pid for pid in browsers if is_ours(pid)}


async def test_a_killed_browser_is_replaced_at_the_next_call(chromium, site):
    others = browser_processes()
    settings = SiteSettings(base_url=site, chromium_path=chromium, page_seconds=20)
    with running(build_server(build_app(Settings(port=free_port()), settings))) as base:
        (browser,) = browser_processes() - others
        os.kill(browser, signal.SIGKILL)
        while browser in browser_processes():
            await asyncio.sleep(0.05)
        assert (await call(Caller(base), "xhs_search_notes", keyword="咖啡", limit=1))["count"] == 1
        assert browser_processes() - others - {browser}
