"""Tests of the whole service through its addresses."""

from __future__ import annotations

import httpx2
from mcp import Client

from template_server.service import NAME

ECHO = "template_echo"
COUNTDOWN = "template_countdown"
SEARCH = "template_search"
GET = "template_get"


async def test_the_tools_are_listed_in_their_order(service: str) -> None:
    async with Client(f"{service}/mcp") as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
    assert names == [ECHO, COUNTDOWN, SEARCH, GET]


async def test_an_entry_from_a_search_can_be_read_by_its_id(service: str) -> None:
    async with Client(f"{service}/mcp") as client:
        result = (await client.call_tool(SEARCH, {"query": "第 7 条"})).structured_content
        entry = (await client.call_tool(GET, {"entry_id": result["items"][0]["id"]})).structured_content
    assert (result["source"], result["count"]) == ("样例来源", 1)
    assert (entry["title"], entry["text"]) == ("第 7 条", "正文 7")


async def test_an_agent_gets_a_foreseen_failure_as_code_and_next_step(service: str) -> None:
    async with Client(f"{service}/mcp") as client:
        result = await client.call_tool(GET, {"entry_id": "entry-99"})
    assert result.is_error
    assert result.content[0].text.startswith("NOT_FOUND：")
    assert SEARCH in result.content[0].text


async def test_progress_arrives_step_by_step(service: str) -> None:
    seen: list[float] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        seen.append(progress)

    async with Client(f"{service}/mcp") as client:
        await client.call_tool(COUNTDOWN, {"steps": 3, "interval_ms": 10}, progress_callback=note)
    assert seen == [1, 2, 3]


async def test_the_rest_routes_keep_their_envelope(service: str) -> None:
    async with httpx2.AsyncClient() as http:
        answer = await http.post(f"{service}/test", json={"message": "你好"})
        later = await http.post(f"{service}/async-test", json={})
    assert (answer.status_code, answer.json()["service"], answer.json()["action"]) == (200, NAME, "test_function")
    assert answer.json()["data"]["message"] == "Template response: 你好"
    assert later.json()["data"] == {"data": "Template async response: Test", "processed": True}


async def test_requests_to_the_upstream_are_counted(service: str) -> None:
    async with Client(f"{service}/mcp") as client:
        await client.call_tool(SEARCH, {})
    async with httpx2.AsyncClient() as http:
        text = (await http.get(f"{service}/metrics")).text
    assert 'upstream_requests_total{endpoint="feed",service="template",status="200"}' in text
