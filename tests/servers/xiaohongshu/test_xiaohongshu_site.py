"""Tests of the xiaohongshu service in a real headless Chromium on the stand-in site."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager

import httpx2
import pytest
from dyber_kit import Settings
from dyber_kit.browser.pool import BrowserSettings
from dyber_kit.serving.server import build_server
from xiaohongshu_server.browsing.platform import PLATFORM
from xiaohongshu_server.config import SiteSettings
from xiaohongshu_server.service import build_app

from tests.stand_in.platforms.xiaohongshu import data
from tests.stand_in.platforms.xiaohongshu.calls import Caller, stand_in_settings
from tests.stand_in.running import free_port, running

REF = f"{data.NORMAL_NOTE}:{data.TOKEN}"


def service(chromium: str, site: SiteSettings) -> AbstractContextManager[str]:
    """Run a further service with these settings; yields its base URL."""
    return running(build_server(build_app(Settings(port=free_port()), site, BrowserSettings(chromium_path=chromium))))


@pytest.fixture
def client(xiaohongshu: str) -> Caller:
    return Caller(xiaohongshu)


@pytest.fixture
async def http(xiaohongshu: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=xiaohongshu, timeout=60) as connected:
        yield connected


async def test_the_service_is_ready_once_its_browser_runs(http):
    answer = await http.get("/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    assert answer.json()["browser_sandbox"] in ("own sandbox", "container only")


async def test_a_search_returns_notes_with_numbers(client):
    result = await client("xhs_search_notes", keyword="咖啡", limit=3)
    first = result["items"][0]
    assert [item["title"] for item in result["items"]] == ["咖啡笔记0", "咖啡笔记1", "咖啡笔记2"]
    assert (first["note_ref"], first["likes"], first["author"]) == (REF, 17_000, "用户0")
    assert (result["items"][1]["likes"], result["items"][1]["lower_bounds"]) == (100_000, ["likes"])
    assert "likes" not in result["items"][2]
    assert result["complete"] is False


async def test_the_pages_requests_to_the_site_are_counted_by_endpoint_and_status(client, http):
    async def counted(endpoint: str, status: str) -> float:
        name = f'upstream_requests_total{{endpoint="{endpoint}",service="xiaohongshu",status="{status}"}} '
        lines = (await http.get("/metrics")).text.splitlines()
        return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))

    counters = [("page", "200"), ("search/notes", "200"), ("search/notes", "461"), ("user/me", "401")]
    before = [await counted(*each) for each in counters]
    await client("xhs_search_notes", keyword="咖啡", limit=3)
    await client.refusal("xhs_search_notes", keyword="验证码")
    after = [await counted(*each) for each in counters]
    assert [after[0] - before[0], after[2] - before[2]] == [2, 1]
    assert after[1] > before[1] and after[3] > before[3]


@pytest.mark.parametrize(
    ("url", "navigates", "name"),
    [
        ("https://www.xiaohongshu.com/explore/66fad51c?xsec_token=a", True, "page"),
        ("https://edith.xiaohongshu.com/api/sns/web/v2/comment/page?note_id=1", False, "comment/page"),
        ("https://edith.xiaohongshu.com/api/sns/web/v1/homefeed", False, "homefeed"),
        ("https://edith.xiaohongshu.com/api/sns/web/v9/note/66fad51c", False, "other"),
        ("https://picture.example/a.jpg", False, None),
    ],
)
def test_the_metrics_have_few_endpoint_names(url, navigates, name):
    assert PLATFORM.calls.endpoint(url, navigates=navigates) == name


async def test_a_large_limit_makes_the_search_scroll(client):
    result = await client("xhs_search_notes", keyword="茶", limit=40)
    assert result["count"] == 40
    assert len({item["note_ref"] for item in result["items"]}) == 40


@pytest.mark.parametrize("keyword", ["慢", "裸引用"])
async def test_slow_pages_and_pages_with_plain_state_are_read(client, keyword):
    assert (await client("xhs_search_notes", keyword=keyword, limit=1))["count"] == 1


async def test_a_result_is_empty_only_when_the_site_says_so(client):
    result = await client("xhs_search_notes", keyword="空")
    assert (result["items"], result["complete"]) == ([], True)


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
    text = await client.refusal("xhs_search_notes", keyword=keyword)
    assert text.startswith(f"{code}：")
    assert "下一步：" in text


async def test_the_error_login_required_names_the_tool_that_logs_in(client):
    assert "xhs_login_qrcode" in await client.refusal("xhs_search_notes", keyword="登录墙")


async def test_a_note_has_text_tags_counts_and_first_comments(client):
    note = await client("xhs_get_note", note=REF, comments=3, include_replies=True)
    assert (note["title"], note["tags"], note["published_at"]) == (
        "手冲咖啡入门",
        ["咖啡", "手冲"],
        "2023-12-10T16:00:00+08:00",
    )
    assert (note["likes"], note["collects"], note["shares"], note["comments_total"]) == (17_000, 100_000, 9, 25)
    assert note["lower_bounds"] == ["collects"]
    assert [comment["content"] for comment in note["comments"]] == ["评论0", "评论1", "评论2"]
    assert note["comments"][0]["replies"][0]["content"] == "回复0"
    assert note["warnings"] == []


async def test_a_note_is_read_without_comments_when_none_are_requested(client):
    note = await client("xhs_get_note", note=f"{data.SLOW_NOTE}:{data.TOKEN}", comments=0)
    assert (note["title"], note["comments"]) == ("手冲咖啡入门", [])


async def test_comments_are_loaded_by_scrolling_until_the_end(client):
    result = await client("xhs_get_comments", note=REF, limit=100)
    assert [item["comment_id"] for item in result["items"]] == [f"comment-{n}" for n in range(data.COMMENT_TOTAL)]
    assert (result["complete"], result["total"]) == (True, data.COMMENT_TOTAL)


async def test_an_incomplete_list_of_comments_is_marked_as_incomplete(client):
    result = await client("xhs_get_comments", note=REF, limit=5)
    assert (result["count"], result["complete"]) == (5, False)


async def test_a_note_without_comments_has_an_empty_complete_list(client):
    result = await client("xhs_get_comments", note=f"{data.NO_COMMENTS_NOTE}:{data.TOKEN}")
    assert (result["items"], result["complete"], result["total"]) == ([], True, 0)


async def test_an_id_without_a_token_works_after_a_search_has_read_its_token(client):
    await client("xhs_search_notes", keyword="咖啡", limit=1)
    assert (await client("xhs_get_note", note=data.NORMAL_NOTE, comments=0))["note_ref"] == REF


async def test_a_note_that_quotes_the_text_of_a_wall_is_read(client):
    note = await client("xhs_get_note", note=f"{data.QUOTING_NOTE}:{data.TOKEN}", comments=0)
    assert "请通过验证" in note["content"]


@pytest.mark.parametrize(
    ("note_id", "code", "shown"),
    [
        (data.REMOVED_NOTE, "NOT_FOUND", "该笔记已被删除"),
        (data.PRIVATE_NOTE, "ACCESS_RESTRICTED", "仅作者可见"),
        (data.RATE_LIMITED_NOTE, "RATE_LIMITED", "不要连续重试"),
        (data.LOGIN_NOTE, "LOGIN_REQUIRED", "登录"),
        (data.CAPTCHA_NOTE, "CAPTCHA_REQUIRED", "验证"),
        (data.MISSING_NOTE, "NOT_FOUND", "不存在"),
    ],
)
async def test_the_error_for_a_note_that_cannot_be_read_gives_the_reason(client, note_id, code, shown):
    text = await client.refusal("xhs_get_note", note=f"{note_id}:{data.TOKEN}")
    assert text.startswith(f"{code}：")
    assert shown in text


async def test_the_error_for_a_note_without_its_token_says_so(client):
    text = await client.refusal("xhs_get_note", note=data.PRIVATE_NOTE)
    assert text.startswith("NOT_FOUND：")
    assert "xsec_token" in text


async def test_a_note_is_returned_when_its_comments_meet_a_wall(client):
    note = await client("xhs_get_note", note=f"{data.COMMENT_WALL_NOTE}:{data.TOKEN}", comments=5)
    assert note["title"] == "手冲咖啡入门"
    assert note["comments"] == []
    assert "LOGIN_REQUIRED" in note["warnings"][0]


async def test_comments_that_meet_a_wall_are_an_error(client):
    text = await client.refusal("xhs_get_comments", note=f"{data.COMMENT_WALL_NOTE}:{data.TOKEN}")
    assert text.startswith("LOGIN_REQUIRED：")


async def test_a_foreign_link_is_refused(client):
    text = await client.refusal("xhs_get_note", note=f"http://169.254.169.254/explore/{data.NORMAL_NOTE}")
    assert text.startswith("INVALID_ARGUMENT：链接不属于小红书")


async def test_an_unreachable_site_is_reported_as_unreachable(chromium):
    with service(chromium, stand_in_settings(f"http://127.0.0.1:{free_port()}")) as base:
        text = await Caller(base).refusal("xhs_search_notes", keyword="咖啡")
    assert text.startswith("UPSTREAM_UNREACHABLE：无法连接小红书")


async def test_a_page_that_never_loads_ends_with_a_timeout_and_frees_the_browser(chromium, site):
    with service(chromium, stand_in_settings(site, page_seconds=3)) as base:
        assert (await Caller(base).refusal("xhs_search_notes", keyword="卡住")).startswith("TIMEOUT：")
        assert (await Caller(base)("xhs_search_notes", keyword="咖啡", limit=1))["count"] == 1


async def test_without_a_browser_the_service_runs_but_is_not_ready(site):
    with service("/nonexistent/chromium", stand_in_settings(site)) as base:
        async with httpx2.AsyncClient() as http:
            ready = await http.get(f"{base}/ready")
            health = await http.get(f"{base}/health")
    assert (ready.status_code, health.status_code) == (503, 200)
    assert "/nonexistent/chromium" in ready.json()["reason"]
