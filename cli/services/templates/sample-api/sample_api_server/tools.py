"""Declares the MCP tools; agents read the docstrings of the tools."""

# Agents read the docstrings of the tools, whose Chinese sentences do not end in ".".
# ruff: noqa: D400, D415

from __future__ import annotations

from typing import Annotated

from dyber_kit import tool
from dyber_kit.calling.cursors import MAX_CURSOR_CHARS
from dyber_kit.calling.tools import ToolDeclaration
from pydantic import Field

from sample_api_server.models import Item, ItemList, Status
from sample_api_server.platform import Platform


def platform_tools(platform: Platform) -> list[ToolDeclaration]:
    """Return the tools in the order in which agents see them."""

    @tool(title="搜索条目", read_only=True, open_world=True)
    async def sample_api_search(
        query: Annotated[str, Field(description="要找的词；留空列出全部", max_length=100)] = "",
        limit: Annotated[int, Field(description="条数", ge=1, le=30)] = 10,
        cursor: Annotated[
            str, Field(description="上一次回答的 next_cursor，query 不变", max_length=MAX_CURSOR_CHARS)
        ] = "",
    ) -> ItemList:
        """在平台上搜索条目：每条的 id、标题、作者、时间和摘要。空列表就是没有匹配的，其他原因都是错误。"""
        return await platform.search(query.strip(), limit, cursor)

    @tool(title="读取条目", read_only=True, open_world=True)
    async def sample_api_get(
        item_id: Annotated[str, Field(description="搜索结果里的 id", min_length=1, max_length=100)],
        max_chars: Annotated[int, Field(description="最多字数", ge=100, le=15000)] = 4000,
    ) -> Item:
        """读一个条目：正文、作者、时间和地址。id 来自 sample_api_search。"""
        return await platform.get(item_id, max_chars)

    @tool(title="接口状态", read_only=True, open_world=False)
    async def sample_api_status() -> Status:
        """看服务是否设置好了，平台还允许多少请求；不访问平台。"""
        return platform.status()

    return [
        sample_api_search,
        sample_api_get,
        sample_api_status,
    ]
