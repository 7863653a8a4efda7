"""Declares the MCP tools; agents read the docstrings of the tools."""

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
        query: Annotated[str, Field(description="Words to look for; empty lists everything", max_length=100)] = "",
        limit: Annotated[int, Field(description="Most items to return", ge=1, le=30)] = 10,
        cursor: Annotated[
            str, Field(description="next_cursor of the answer before, with the same query", max_length=MAX_CURSOR_CHARS)
        ] = "",
    ) -> ItemList:
        """Search the platform's items. Returns id, title, author, time and summary of each item.

        An empty list means that nothing matches; every other reason is an error.
        """
        return await platform.search(query.strip(), limit, cursor)

    @tool(title="读取条目", read_only=True, open_world=True)
    async def sample_api_get(
        item_id: Annotated[str, Field(description="id of a search result", min_length=1, max_length=100)],
        max_chars: Annotated[int, Field(description="Cut the text after this many", ge=100, le=15000)] = 4000,
    ) -> Item:
        """Read one item: text, author, time and address."""
        return await platform.get(item_id, max_chars)

    @tool(title="接口状态", read_only=True, open_world=False)
    async def sample_api_status() -> Status:
        """Tell whether the service is set up, and which requests the platform still allows. Asks it nothing."""
        return platform.status()

    return [
        sample_api_search,
        sample_api_get,
        sample_api_status,
    ]
