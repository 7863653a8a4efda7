"""Declares the MCP tools; agents read the docstrings of the tools."""

# Agents read the docstrings of the tools, whose Chinese sentences do not end in ".".
# ruff: noqa: D400, D415

from __future__ import annotations

import asyncio
import time
from typing import Annotated

from dyber_kit import tool
from dyber_kit.calling.cursors import MAX_CURSOR_CHARS
from dyber_kit.calling.tools import ToolDeclaration
from mcp.server.mcpserver import Context
from pydantic import Field

from template_server.feed import FeedReader
from template_server.models import Countdown, Echo, Entry, SearchResult
from template_server.texts import tr


@tool(title="回声", read_only=True, open_world=False)
async def template_echo(
    text: Annotated[str, Field(description="要送回的文字", min_length=1, max_length=2000)],
) -> Echo:
    """原样返回文字和字数。用来检查连接是否正常。"""
    return Echo(text=text, length=len(text))


@tool(title="倒计时", read_only=True, open_world=False)
async def template_countdown(
    ctx: Context,
    steps: Annotated[int, Field(description="数几步", ge=1, le=20)] = 3,
    interval_ms: Annotated[int, Field(description="每步之前停多久，毫秒", ge=0, le=2000)] = 200,
) -> Countdown:
    """倒计时，每步报告进度，最多 40 秒。用来检查进度和取消。"""
    started = time.perf_counter()
    for step in range(1, steps + 1):
        await asyncio.sleep(interval_ms / 1000)
        await ctx.report_progress(step, steps, tr("Steps left: {count}", count=steps - step))
    return Countdown(steps=steps, seconds=round(time.perf_counter() - started, 3))


def all_tools(reader: FeedReader) -> list[ToolDeclaration]:
    """Return the tools in the order in which agents see them."""

    @tool(title="搜索条目", read_only=True, open_world=True)
    async def template_search(
        query: Annotated[str, Field(description="要找的词；留空列出全部", max_length=100)] = "",
        limit: Annotated[int, Field(description="条数", ge=1, le=20)] = 10,
        cursor: Annotated[
            str, Field(description="上一次回答的 next_cursor，query 不变", max_length=MAX_CURSOR_CHARS)
        ] = "",
    ) -> SearchResult:
        """在设置的来源里搜索条目：每条的 id、标题、时间和摘要。空列表就是没有匹配的，其他原因都是错误。"""
        return await reader.search(query.strip(), limit, cursor)

    @tool(title="读取条目", read_only=True, open_world=True)
    async def template_get(
        entry_id: Annotated[str, Field(description="搜索结果里的 id", min_length=1, max_length=1000)],
        max_chars: Annotated[int, Field(description="最多字数", ge=100, le=15000)] = 4000,
    ) -> Entry:
        """读来源里的一个条目：正文、作者、标签和地址。id 来自 template_search。"""
        return await reader.get(entry_id, max_chars)

    return [
        template_echo,
        template_countdown,
        template_search,
        template_get,
    ]
