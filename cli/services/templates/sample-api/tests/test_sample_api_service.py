"""Tests of the whole service through its addresses."""

from __future__ import annotations

import httpx2
from mcp import Client

SEARCH = "sample_api_search"
GET = "sample_api_get"
STATUS = "sample_api_status"


async def test_the_tools_are_listed_in_their_order(service: str) -> None:
    async with Client(f"{service}/mcp") as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
    assert names == [SEARCH, GET, STATUS]


async def test_an_item_from_a_search_can_be_read_by_its_id(service: str) -> None:
    async with Client(f"{service}/mcp") as client:
        result = (await client.call_tool(SEARCH, {"query": "第 7 条"})).structured_content
        item = (await client.call_tool(GET, {"item_id": result["items"][0]["id"]})).structured_content
    assert result["items"] == [
        {"id": "7", "title": "第 7 条", "author": "测试", "updated": "2026-01-08T00:00:00Z", "summary": "正文 7"}
    ]
    assert (item["title"], item["text"]) == ("第 7 条", "正文 7")


async def test_an_agent_gets_a_refusal_as_code_and_the_platforms_words(service: str) -> None:
    async with Client(f"{service}/mcp") as client:
        result = await client.call_tool(GET, {"item_id": "999"})
    assert result.is_error
    assert result.content[0].text.startswith("NOT_FOUND：")
    assert "No such item" in result.content[0].text


async def test_requests_to_the_platform_are_counted(service: str) -> None:
    async with Client(f"{service}/mcp") as client:
        await client.call_tool(SEARCH, {})
    async with httpx2.AsyncClient() as http:
        text = (await http.get(f"{service}/metrics")).text
    counted = [line for line in text.splitlines() if line.startswith("upstream_requests_total")]
    assert any('endpoint="/v1/items"' in line and 'status="200"' in line for line in counted)
