"""Tests of the header with which a client that reads structures gets one line instead of the same content as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import httpx2
import pytest
from dyber_kit import ErrorCode, ServiceError, Settings, create_app, tool
from dyber_kit.calling.answers import WARNINGS_META
from dyber_kit.serving.server import build_server
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel, Field

from tests.stand_in.running import free_port, running


class Shelf(BaseModel):
    """Is the answer: books, with what the reader should know about them."""

    items: list[str]
    warnings: list[str]


@tool(title="列出书", read_only=True, open_world=False)
async def shelf_list(limit: Annotated[int, Field(description="Most books", ge=1, le=90)] = 3) -> Shelf:
    """List books."""
    return Shelf(items=["书"] * limit, warnings=["可能不全"])


@tool(title="展示书", read_only=True, open_world=False)
async def shelf_show() -> Annotated[CallToolResult, Shelf]:
    """Show books, with a text for people."""
    structure = Shelf(items=["书"], warnings=[]).model_dump()
    return CallToolResult(content=[TextContent(type="text", text="给人看的")], structured_content=structure)


@tool(title="丢书", read_only=True, open_world=False)
async def shelf_lose() -> Shelf:
    """Fail."""
    raise ServiceError(ErrorCode.NOT_FOUND)


@pytest.fixture(scope="module")
def shelf() -> Iterator[str]:
    """Return the base URL of a running service."""
    tools = [shelf_list, shelf_show, shelf_lose]
    app = create_app(
        name="shelf", title="书架", version="1", instructions="", tools=tools, settings=Settings(port=free_port())
    )
    with running(build_server(app)) as base:
        yield base


async def called(
    base: str, way: str, text: str | None, name: str, language: str = "zh", **arguments: object
) -> CallToolResult:
    headers = {"Accept-Language": language} | ({} if text is None else {"X-Dyber-Text": text})
    if way == "sse":
        client = Client(sse_client(f"{base}/mcp/sse", headers=headers), mode="legacy")
    else:
        http = httpx2.AsyncClient(headers=headers, timeout=30)
        client = Client(streamable_http_client(f"{base}/mcp", http_client=http), mode=way)  # type: ignore[arg-type]
    async with client:
        return await client.call_tool(name, arguments)


def texts(result: CallToolResult) -> list[str]:
    return [part.text for part in result.content if isinstance(part, TextContent)]


@pytest.mark.parametrize("way", ["auto", "legacy", "sse"])
async def test_a_client_that_reads_structures_gets_the_name_the_count_and_the_warnings(shelf, way):
    result = await called(shelf, way, "short", "shelf_list", limit=40)
    assert texts(result) == ["shelf_list：40 项（见 structuredContent）；提示：可能不全"]
    assert len(result.structured_content["items"]) == 40


async def test_the_line_has_nothing_chinese_for_a_client_that_asks_for_english(shelf):
    result = await called(shelf, "auto", "short", "shelf_show", language="en")
    line = texts(result)[0]
    assert line.startswith("shelf_show: ") and line.isascii()


@pytest.mark.parametrize("text", [None, "", "long", "whole"])
async def test_without_the_header_the_text_is_whole(shelf, text):
    result = await called(shelf, "auto", text, "shelf_list")
    assert texts(result) == ['{"items":["书","书","书"],"warnings":["可能不全"]}']


async def test_warnings_about_arguments_are_in_the_line_and_for_programs(shelf):
    result = await called(shelf, "auto", "SHORT", "shelf_list", limits=2)
    assert len(texts(result)) == 1 and "是否想用 limit？" in texts(result)[0]
    assert len(result.meta[WARNINGS_META]) == 1


async def test_a_text_for_people_stays(shelf):
    result = await called(shelf, "auto", "short", "shelf_show")
    assert texts(result) == ["shelf_show：1 项（见 structuredContent）", "给人看的"]


async def test_an_error_is_whole(shelf):
    result = await called(shelf, "auto", "short", "shelf_lose")
    assert result.is_error and texts(result) == texts(await called(shelf, "auto", None, "shelf_lose"))
