"""Tests of read-only mode: write tools are not offered, and REST routes that write are refused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx2
import pytest
from dyber_kit import Metrics, RestRoute, ServiceApp, Settings, create_app, tool
from dyber_kit.serving.server import build_server
from prometheus_client import generate_latest
from pydantic import BaseModel

from tests.stand_in.running import free_port, running

written: list[str] = []


class Done(BaseModel):
    """Names the action that was carried out."""

    action: str


class Body(BaseModel):
    """Is the body of both routes."""


@tool(title="读", read_only=True, open_world=False)
async def shelf_read() -> Done:
    """Read."""
    return Done(action="read")


@tool(title="写", read_only=False, open_world=False, destructive=True, idempotent=False)
async def shelf_write() -> Done:
    """Write."""
    written.append("tool")
    return Done(action="write")


async def rest_read(body: Body) -> Done:
    """Read."""
    return Done(action="read")


async def rest_write(body: Body) -> Done:
    """Write."""
    written.append("rest")
    return Done(action="write")


def build_shelf(read_only: bool) -> ServiceApp:
    return create_app(
        name="shelf",
        title="书架",
        version="1.0.0",
        instructions="",
        tools=[shelf_write, shelf_read],
        rest=[RestRoute("/read", "read", rest_read), RestRoute("/write", "write", rest_write, read_only=False)],
        settings=Settings(port=free_port(), read_only=read_only),
    )


@pytest.fixture(scope="module")
def read_only() -> Iterator[str]:
    """Return the base URL of the service in read-only mode."""
    with running(build_server(build_shelf(True))) as base:
        yield base


@pytest.fixture(scope="module")
def writable() -> Iterator[str]:
    """Return the base URL of the service that may write."""
    with running(build_server(build_shelf(False))) as base:
        yield base


@pytest.fixture(autouse=True)
def clear_written() -> None:
    written.clear()


async def test_a_read_only_service_does_not_list_tools_that_write(read_only, connect):
    async with connect(read_only) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["shelf_read"]


async def test_a_tool_that_is_not_listed_cannot_be_called_either(read_only, connect):
    async with connect(read_only) as client:
        result = await client.call_tool("shelf_write", {})
    assert (result.is_error, written) == (True, [])
    assert result.content[0].text.startswith("READ_ONLY：") and "shelf_write" in result.content[0].text


async def test_a_rest_route_that_writes_is_refused_and_a_route_that_reads_is_not(read_only):
    async with httpx2.AsyncClient() as http:
        refused = await http.post(f"{read_only}/write", json={})
        answered = await http.post(f"{read_only}/read", json={})
    assert (refused.status_code, refused.json()["code"], written) == (403, "READ_ONLY", [])
    assert "DYBER_READ_ONLY=false" in refused.json()["next_step"]
    assert (answered.status_code, answered.json()["data"]) == (200, {"action": "read"})


async def test_without_read_only_mode_the_tool_and_the_route_write(writable, connect):
    async with connect(writable) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        await client.call_tool("shelf_write", {})
    async with httpx2.AsyncClient() as http:
        answer = await http.post(f"{writable}/write", json={})
    assert (names, answer.status_code, written) == (["shelf_write", "shelf_read"], 200, ["tool", "rest"])


async def test_ready_counts_the_offered_tools(read_only, writable):
    async with httpx2.AsyncClient() as http:
        answers = [await http.get(f"{base}/ready") for base in (read_only, writable)]
    assert [(answer.status_code, answer.json()["tools"]) for answer in answers] == [(200, 1), (200, 2)]


async def test_a_read_only_service_drains_like_any_other():
    server = build_server(build_shelf(True))
    served = asyncio.create_task(server.serve())
    base = f"http://127.0.0.1:{server.config.port}"
    async with httpx2.AsyncClient() as http:
        while not server.started:
            await asyncio.sleep(0.01)
        server.should_exit = True
        while (ready := await http.get(f"{base}/ready")).status_code == 200:
            await asyncio.sleep(0.01)
        answered = await http.post(f"{base}/read", json={})
    assert (ready.json()["status"], answered.status_code) == ("draining", 200)
    await served


def test_a_login_is_in_the_metrics_until_it_ends():
    metrics = Metrics("shelf")
    metrics.login_state("default", True)
    assert 'login_state{account="default",service="shelf"} 1.0' in generate_latest(metrics.registry).decode()
    metrics.login_state("default", False)
    assert 'login_state{account="default",service="shelf"} 0.0' in generate_latest(metrics.registry).decode()
