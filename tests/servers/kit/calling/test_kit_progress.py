"""Tests that callers that request progress get it regularly, whatever the tool does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx2
import pytest
from dyber_kit import Settings, create_app, tool
from dyber_kit.calling import progress
from dyber_kit.serving.server import build_server
from mcp import Client
from mcp.server.mcpserver import Context
from pydantic import BaseModel

from tests.stand_in.running import free_port, running

LONGEST_SILENCE = progress.SILENCE_SECONDS
#: The received reports of progress; the tools end when there are enough.
reports: list[tuple[float, float | None, str | None]] = []
ENOUGH = 3


class Done(BaseModel):
    """Is the answer of the tools here."""

    ok: bool = True


async def until_enough(count_before: int) -> Done:
    while len(reports) < count_before + ENOUGH:
        await asyncio.sleep(0.01)
    return Done()


@tool(title="沉默", read_only=True, open_world=False)
async def long_silent() -> Done:
    """Report no progress until the caller has received enough reports."""
    return await until_enough(0)


@tool(title="分步", read_only=True, open_world=False)
async def long_stepwise(ctx: Context) -> Done:
    """Report two steps with a silence between them."""
    await ctx.report_progress(1, 2, "第一步")
    await until_enough(1)
    await ctx.report_progress(2, 2, "第二步")
    return Done()


@tool(title="一下", read_only=True, open_world=False)
async def long_short() -> Done:
    """Report no progress for several times the longest silence."""
    await asyncio.sleep(0.3)
    return Done()


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    """Return the base URL of a service whose longest silence is a twentieth of a second."""
    patch = pytest.MonkeyPatch()
    patch.setattr(progress, "SILENCE_SECONDS", 0.05)
    tools = [long_silent, long_stepwise, long_short]
    app = create_app(
        name="long", title="长", version="1", instructions="", tools=tools, settings=Settings(port=free_port())
    )
    with running(build_server(app)) as base:
        yield base
    patch.undo()


async def record_report(step: float, total: float | None, text: str | None) -> None:
    reports.append((step, total, text))


@pytest.fixture(autouse=True)
def clear_reports() -> None:
    reports.clear()


def test_the_longest_silence_is_below_ten_seconds():
    assert 0 < LONGEST_SILENCE < 10


async def test_the_kit_reports_progress_for_a_tool_that_reports_none(service, connect):
    async with connect(service) as client:
        assert not (await client.call_tool("long_silent", progress_callback=record_report)).is_error
    steps = [step for step, _, _ in reports]
    assert len(steps) >= ENOUGH and steps == sorted(set(steps))
    assert all(text and text.startswith("仍在进行，已用 ") for _, _, text in reports)


async def test_reports_of_the_kit_stay_below_the_next_step_of_the_tool(service, connect):
    async with connect(service) as client:
        await client.call_tool("long_stepwise", progress_callback=record_report)
    steps = [step for step, _, _ in reports]
    assert (steps[0], steps[-1]) == (1, 2)
    assert steps == sorted(set(steps)) and len(steps) >= ENOUGH + 2
    assert {total for _, total, _ in reports} == {2}


async def test_a_caller_that_accepts_only_json_gets_its_answer_without_progress(service):
    params = {"name": "long_short", "arguments": {}, "_meta": {"progressToken": "p"}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    async with httpx2.AsyncClient() as http:
        answer = await http.post(f"{service}/mcp", json=body, headers={"accept": "application/json"})
    assert answer.json()["result"]["structuredContent"] == {"ok": True}


async def test_a_caller_that_accepts_anything_gets_a_stream_when_it_requests_progress(service):
    params = {"name": "long_short", "arguments": {}, "_meta": {"progressToken": "p"}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    async with httpx2.AsyncClient() as http:
        answer = await http.post(f"{service}/mcp", json=body, headers={"accept": "*/*"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.count('"notifications/progress"') >= 2


async def test_a_caller_that_does_not_request_progress_gets_none(service):
    async with Client(f"{service}/mcp", mode="legacy") as client:
        await client.call_tool("long_short")
    params = {"name": "long_short", "arguments": {}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    async with httpx2.AsyncClient() as http:
        answer = await http.post(f"{service}/mcp", json=body, headers={"accept": "text/event-stream"})
    assert "notifications/progress" not in answer.text
