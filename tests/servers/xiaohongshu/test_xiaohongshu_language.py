"""Tests that callers get the service's own texts in their language, also when they share one visit of the site."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult

from tests.stand_in.platforms.xiaohongshu import data
from tests.stand_in.platforms.xiaohongshu.calls import logged_in

REF = f"{data.NORMAL_NOTE}:{data.TOKEN}"


async def call(base: str, language: str, tool: str, **arguments: object) -> CallToolResult:
    async with (
        httpx2.AsyncClient(headers={"Accept-Language": language}, timeout=60) as http,
        Client(streamable_http_client(f"{base}/mcp", http_client=http)) as client,
    ):
        return await client.call_tool(tool, arguments)


@pytest.mark.parametrize(
    ("tool", "arguments", "summary"),
    [
        ("xhs_like", {"note": REF}, "With the account default, like the note 《手冲咖啡入门》 by 用户7"),
        (
            "xhs_reply",
            {"note": REF, "comment_id": "comment-1", "content": "好"},
            "With the account default, below the note 《手冲咖啡入门》 by 用户7, "
            "reply to the comment “评论1” by 用户1: 好",
        ),
        (
            "xhs_publish_image",
            {"images": "一.jpg", "title": "标题", "content": "正文"},
            "With the account default, publish a post with pictures 《标题》 for everyone to see; files: 1 (一.jpg), "
            "topics: none, text: 正文",
        ),
    ],
)
async def test_the_summary_of_a_dry_run_is_english_for_an_english_caller(
    xiaohongshu, site, xiaohongshu_data: Path, tool, arguments, summary
):
    uploads = xiaohongshu_data / "uploads"
    uploads.mkdir(exist_ok=True)
    (uploads / "一.jpg").write_bytes(b"\xff\xd8jpeg")
    with logged_in(xiaohongshu_data, site):
        planned = (await call(xiaohongshu, "en", tool, **arguments)).structured_content
    assert planned["summary"] == summary


async def test_the_warnings_of_an_empty_search_are_english_for_an_english_caller(xiaohongshu):
    found = await call(xiaohongshu, "en", "xhs_search_notes", keyword="咖啡", distance="nearby")
    assert not found.is_error, found.content[0].text
    assert found.structured_content["warnings"][0] == (
        "Xiaohongshu has no results with these filters: distance=nearby; leave some of them out"
    )


async def test_callers_who_share_a_refused_visit_get_its_error_each_in_their_language(xiaohongshu):
    missing = data.NORMAL_NOTE[:-1] + "f"
    english, chinese = await asyncio.gather(
        *(call(xiaohongshu, language, "xhs_get_note", note=missing) for language in ("en", "zh"))
    )
    assert english.content[0].text.startswith("NOT_FOUND: The note does not exist, or cannot be seen without its")
    assert chinese.content[0].text.startswith("NOT_FOUND：笔记不存在，或缺少 xsec_token 而无法查看。下一步：")


async def test_users_that_are_not_there_are_explained_in_the_language_of_each_caller(xiaohongshu):
    english, chinese = await asyncio.gather(
        *(call(xiaohongshu, language, "xhs_search_users", keyword="空") for language in ("en", "zh"))
    )
    assert english.structured_content["warnings"] == ["Xiaohongshu has no users for these words"]
    assert chinese.structured_content["warnings"] == ["小红书没有找到这个词的用户"]
