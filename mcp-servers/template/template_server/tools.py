"""Declares the MCP tools; agents read the docstrings of the tools."""

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
    text: Annotated[str, Field(description="Text to send back", min_length=1, max_length=2000)],
) -> Echo:
    """Send a text back unchanged. Use it to check that a connection works. Returns the text and its length."""
    return Echo(text=text, length=len(text))


@tool(title="倒计时", read_only=True, open_world=False)
async def template_countdown(
    ctx: Context,
    steps: Annotated[int, Field(description="How many steps to count", ge=1, le=20)] = 3,
    interval_ms: Annotated[int, Field(description="Pause before each step, in milliseconds", ge=0, le=2000)] = 200,
) -> Countdown:
    """Count down and report progress at each step. Use it to check progress and cancellation. At most 40 seconds."""
    started = time.perf_counter()
    for step in range(1, steps + 1):
        await asyncio.sleep(interval_ms / 1000)
        await ctx.report_progress(step, steps, tr("Steps left: {count}", count=steps - step))
    return Countdown(steps=steps, seconds=round(time.perf_counter() - started, 3))


def all_tools(reader: FeedReader) -> list[ToolDeclaration]:
    """Return the tools in the order in which agents see them."""

    @tool(title="搜索条目", read_only=True, open_world=True)
    async def template_search(
        query: Annotated[str, Field(description="Words to look for; empty lists everything", max_length=100)] = "",
        limit: Annotated[int, Field(description="Most entries to return", ge=1, le=20)] = 10,
        cursor: Annotated[
            str, Field(description="next_cursor of the answer before, with the same query", max_length=MAX_CURSOR_CHARS)
        ] = "",
    ) -> SearchResult:
        """Search the entries of the configured feed. Returns title, time, summary and the id of each entry.

        An empty list means that nothing matches; every other reason is an error.
        """
        return await reader.search(query.strip(), limit, cursor)

    @tool(title="读取条目", read_only=True, open_world=True)
    async def template_get(
        entry_id: Annotated[str, Field(description="id of a search result", min_length=1, max_length=1000)],
        max_chars: Annotated[int, Field(description="Cut the text after this many", ge=100, le=15000)] = 4000,
    ) -> Entry:
        """Read one entry of the configured feed: text, authors, tags and address."""
        return await reader.get(entry_id, max_chars)

    return [
        template_echo,
        template_countdown,
        template_search,
        template_get,
    ]
