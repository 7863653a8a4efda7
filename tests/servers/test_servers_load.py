"""Many calls at once and one after the other: each gets its own answer, none waits for another, and nothing is left."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx2
import pytest
from mcp import Client
from mcp.types import CallToolResult
from stand_in.running import process

CALLERS, CALLS_EACH = 20, 10
MANY = 10_000
HEADERS = {"accept": "application/json, text/event-stream"}
MODERN_HEADERS = {
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "tools/call",
    "Mcp-Name": "template_echo",
}
MODERN_META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


async def metric(http: httpx2.AsyncClient, base: str, name: str, *labels: str) -> float:
    """The sum of a metric's samples that have all these labels."""
    lines = (await http.get(f"{base}/metrics")).text.splitlines()
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in lines
        if re.match(rf"{name}[{{ ]", line) and all(label in line for label in labels)
    )


async def wait_for(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    for _ in range(400):
        if await holds():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"never: {what}")


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(timeout=60, headers=HEADERS, limits=httpx2.Limits(max_connections=250)) as client:
        yield client


def request(tool: str, **arguments: object) -> dict:
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


SLOW = {"steps": 20, "interval_ms": 2000}


async def cancelled_calls(http: httpx2.AsyncClient, base: str) -> float:
    return await metric(http, base, "mcp_tool_calls_total", 'outcome="cancelled"', 'tool="template_countdown"')


async def give_up(client: Client) -> None:
    """Starts a slow call, and cancels it once it is known to run."""
    begun = asyncio.Event()

    async def on_progress(*_: object) -> None:
        begun.set()

    await client.list_tools()
    call = asyncio.create_task(client.call_tool("template_countdown", SLOW, progress_callback=on_progress))
    await asyncio.wait_for(begun.wait(), 30)
    call.cancel()


@pytest.mark.parametrize("connect", ["modern", "sse"], indirect=True)
async def test_a_call_that_its_caller_gives_up_ends_and_the_next_one_is_answered(template, connect, http):
    before = await cancelled_calls(http, template)

    async def ended() -> bool:
        return await cancelled_calls(http, template) == before + 1

    async with connect(template) as client:
        await give_up(client)
        await wait_for(ended, "the call is counted as cancelled")
        assert (await client.call_tool("template_echo", {"text": "after"})).structured_content["text"] == "after"
    assert await metric(http, template, "mcp_calls_in_flight") == 0


async def test_a_call_ends_when_its_caller_leaves(template, connect, http):
    # The only way over legacy HTTP: without sessions, a cancellation in a request of its own belongs to no call.
    before = await cancelled_calls(http, template)

    async def ended() -> bool:
        return await cancelled_calls(http, template) == before + 1

    async with connect(template) as client:
        await give_up(client)
    await wait_for(ended, "the call is counted as cancelled")
    assert await metric(http, template, "mcp_calls_in_flight") == 0


async def test_200_calls_at_once_over_20_connections_each_get_their_own_answer(template, connect, http):
    async def caller(number: int) -> list[CallToolResult]:
        async with connect(template) as client:
            texts = [f"{number}-{call}" for call in range(CALLS_EACH)]
            return await asyncio.gather(*(client.call_tool("template_echo", {"text": text}) for text in texts))

    answers = await asyncio.gather(*(caller(number) for number in range(CALLERS)))
    seen = [[answer.structured_content["text"] for answer in each] for each in answers]
    assert seen == [[f"{number}-{call}" for call in range(CALLS_EACH)] for number in range(CALLERS)]
    assert await metric(http, template, "mcp_calls_in_flight") == 0


async def test_while_200_slow_calls_run_a_quick_one_and_the_probes_are_answered_and_no_file_stays_open(http):
    with process("template_server", LOG_LEVEL="error") as (child, base):
        files = Path(f"/proc/{child.pid}/fd")
        await http.post(f"{base}/mcp", json=request("template_echo", text="first"))
        before = len(list(files.iterdir()))
        async with httpx2.AsyncClient(timeout=90, headers=HEADERS, limits=httpx2.Limits(max_connections=250)) as many:
            slow = request("template_countdown", steps=20, interval_ms=500)
            calls = [asyncio.create_task(many.post(f"{base}/mcp", json=slow)) for _ in range(CALLERS * CALLS_EACH)]

            async def all_run() -> bool:
                return await metric(http, base, "mcp_calls_in_flight") == len(calls)

            await wait_for(all_run, "all calls run")
            quick = await http.post(f"{base}/mcp", json=request("template_echo", text="quick"))
            probes = [(await http.get(f"{base}{path}")).status_code for path in ("/health", "/ready")]
            assert not any(call.done() for call in calls)
            assert ("quick" in quick.text, probes) == (True, [200, 200])
            answers = await asyncio.gather(*calls)
        assert all('"steps":20' in answer.text.replace("\\", "") for answer in answers)

        async def all_closed() -> bool:
            return len(list(files.iterdir())) <= before

        assert await metric(http, base, "mcp_calls_in_flight") == 0
        await wait_for(all_closed, "connections are closed")


async def test_memory_stays_flat_over_10000_calls(http):
    with process("template_server", LOG_LEVEL="error") as (child, base):
        resident: list[float] = []
        for _ in range(4):
            left = iter(range(MANY // 4))

            async def caller(modern: bool) -> None:
                for number in left:  # noqa: B023
                    call = request("template_echo", text=f"text {number}")
                    if modern:
                        call["params"]["_meta"] = MODERN_META
                    headers = MODERN_HEADERS if modern else {}
                    answer = await http.post(f"{base}/mcp", json=call, headers=headers)
                    assert f"text {number}" in answer.text

            await asyncio.gather(*(caller(modern) for modern in [True, False] * 4))
            pages = int(Path(f"/proc/{child.pid}/statm").read_text().split()[1])
            resident.append(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
        assert await metric(http, base, "mcp_tool_calls_total", 'outcome="ok"') == MANY
    # A kilobyte kept per call would be 7 MiB from the first quarter's end to the last.
    assert resident[3] - resident[0] < 5, resident
