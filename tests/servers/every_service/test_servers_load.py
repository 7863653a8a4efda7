"""Tests of many calls to every service, concurrent and successive.

Each call gets its own answer, none waits for another, and no memory or file is left. Only the functions of the tools
are replaced.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.types import CallToolResult

from tests.stand_in.running import process, python_path
from tests.stand_in.services import MARK, PACKAGES, STEPS, UNTIL, minimal_arguments, resident_mib

#: Callers and the calls of each: many on one service, as all services share the code that the number matters to.
MANY, FEW = (20, 10), (5, 4)
SUCCESSIVE_CALLS = 4_000
HEADERS = {"accept": "application/json, text/event-stream"}
MODERN_META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


@dataclass(frozen=True)
class Served:
    """Describes a running service: its process, its first tool with minimal arguments, its open files at rest, and how
    many callers call it at the same time, how often each."""

    pid: int
    base: str
    tool: str
    arguments: dict[str, Any]
    files_at_rest: int
    callers: int
    calls_each: int

    def call(self, mark: str, **meta: object) -> dict[str, Any]:
        """Return the body of a legacy request; `meta` is added to its `_meta`."""
        params = {"name": self.tool, "arguments": self.arguments, "_meta": {MARK: mark, **meta}}
        return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}

    def open_files(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))


@pytest.fixture(scope="module", params=sorted(PACKAGES))
def served(request: pytest.FixtureRequest, chromium: str) -> Iterator[Served]:
    """Run each service as a separate process."""
    environment = {"LOG_LEVEL": "error", "DYBER_READ_ONLY": "false", "CHROMIUM_PATH": chromium}
    with process("tests.stand_in.services", PACKAGES[request.param], **environment) as (child, base):
        with httpx2.Client(headers={**HEADERS, "connection": "close"}, timeout=60) as http:
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
            answer = http.post(f"{base}/mcp", json=body).text
        tool = json.loads(answer.partition("data: ")[2] or answer)["result"]["tools"][0]
        files = len(list(Path(f"/proc/{child.pid}/fd").iterdir()))
        amount = MANY if request.param == "template" else FEW
        yield Served(child.pid, base, tool["name"], minimal_arguments(tool["inputSchema"]), files, *amount)


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    """Return a client that keeps no connection open between requests."""
    limits = httpx2.Limits(max_connections=250, max_keepalive_connections=0)
    async with httpx2.AsyncClient(timeout=60, headers=HEADERS, limits=limits) as client:
        yield client


async def metric(http: httpx2.AsyncClient, base: str, name: str, *labels: str) -> float:
    """Return the sum of a metric's samples that have all these labels."""
    lines = (await http.get(f"{base}/metrics")).text.splitlines()
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in lines
        if re.match(rf"{name}[{{ ]", line) and all(label in line for label in labels)
    )


async def wait_for(condition: Callable[[], Awaitable[bool]], description: str) -> None:
    for _ in range(400):
        if await condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"never: {description}")


async def cancelled_calls(http: httpx2.AsyncClient, served: Served) -> float:
    return await metric(http, served.base, "mcp_tool_calls_total", 'outcome="cancelled"', f'tool="{served.tool}"')


async def start_and_cancel(client: Client, served: Served) -> None:
    """Start a call that does not end by itself, and cancel it when its first progress shows that it runs."""
    begun = asyncio.Event()

    async def on_progress(*_: object) -> None:
        begun.set()

    await client.list_tools()
    meta = {STEPS: 1, UNTIL: "/never"}
    running = client.call_tool(served.tool, served.arguments, progress_callback=on_progress, meta=meta)
    call = asyncio.create_task(running)
    await asyncio.wait_for(begun.wait(), 30)
    call.cancel()


async def test_progress_arrives_step_by_step_before_the_answer(served, connect):
    seen: list[tuple[float, float | None]] = []

    async def on_progress(progress: float, total: float | None, _: str | None) -> None:
        seen.append((progress, total))

    async with connect(served.base) as client:
        result = await client.call_tool(
            served.tool, served.arguments, progress_callback=on_progress, meta={STEPS: 3, MARK: "steps"}
        )
    assert (result.is_error, result.meta[MARK]) == (False, "steps")
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("connect", ["modern", "sse"], indirect=True)
async def test_a_cancelled_call_ends_and_the_next_call_is_answered(served, connect, http):
    before = await cancelled_calls(http, served)

    async def ended() -> bool:
        return await cancelled_calls(http, served) == before + 1

    async with connect(served.base) as client:
        await start_and_cancel(client, served)
        await wait_for(ended, "the call is counted as cancelled")
        after = await client.call_tool(served.tool, served.arguments, meta={MARK: "after"})
        assert after.meta[MARK] == "after"
    assert await metric(http, served.base, "mcp_calls_in_flight") == 0


async def test_a_call_ends_when_its_caller_leaves(served, connect, http):
    # Over legacy HTTP without sessions, this is the only way: a separate cancellation request belongs to no call.
    before = await cancelled_calls(http, served)

    async def ended() -> bool:
        return await cancelled_calls(http, served) == before + 1

    async with connect(served.base) as client:
        await start_and_cancel(client, served)
    await wait_for(ended, "the call is counted as cancelled")
    assert await metric(http, served.base, "mcp_calls_in_flight") == 0


async def test_each_of_many_calls_over_several_connections_gets_its_own_answer(served, connect, http):
    async def caller(number: int) -> list[CallToolResult]:
        async with connect(served.base) as client:
            marks = [f"{number}-{call}" for call in range(served.calls_each)]
            calls = [client.call_tool(served.tool, served.arguments, meta={MARK: mark}) for mark in marks]
            return await asyncio.gather(*calls)

    answers = await asyncio.gather(*(caller(number) for number in range(served.callers)))
    seen = [[answer.meta[MARK] for answer in each] for each in answers]
    assert seen == [[f"{number}-{call}" for call in range(served.calls_each)] for number in range(served.callers)]
    assert await metric(http, served.base, "mcp_calls_in_flight") == 0


async def test_while_many_calls_hang_other_requests_are_answered_and_no_file_stays_open(served, http, tmp_path):
    released = tmp_path / "released"
    async with httpx2.AsyncClient(timeout=90, headers=HEADERS, limits=httpx2.Limits(max_connections=250)) as clients:
        marks = [f"slow {number}" for number in range(served.callers * served.calls_each)]
        bodies = [served.call(mark, **{UNTIL: str(released)}) for mark in marks]
        calls = [asyncio.create_task(clients.post(f"{served.base}/mcp", json=body)) for body in bodies]

        async def all_run() -> bool:
            return await metric(http, served.base, "mcp_calls_in_flight") == len(calls)

        await wait_for(all_run, "all calls run")
        quick = await http.post(f"{served.base}/mcp", json=served.call("quick"))
        probes = [(await http.get(f"{served.base}{path}")).status_code for path in ("/health", "/ready")]
        assert ('"quick"' in quick.text, probes) == (True, [200, 200])
        assert not any(call.done() for call in calls)
        released.touch()
        answers = await asyncio.gather(*calls)
    assert [mark for mark, answer in zip(marks, answers, strict=True) if f'"{mark}"' not in answer.text] == []

    async def all_closed() -> bool:
        return served.open_files() <= served.files_at_rest

    assert await metric(http, served.base, "mcp_calls_in_flight") == 0
    await wait_for(all_closed, "connections are closed")


def is_stable(memory: list[float]) -> bool:
    """Return whether memory, in MiB after each quarter of the calls, grew little; 1 KiB per call would be 3 MiB."""
    return memory[3] - memory[0] < 2


@pytest.mark.parametrize("package", sorted(PACKAGES.values()))
def test_memory_stays_flat_over_thousands_of_calls_without_http(package):
    environment = {**os.environ, "PYTHONPATH": python_path(), "LOG_LEVEL": "error", "DYBER_READ_ONLY": "false"}
    command = [sys.executable, "-m", "tests.stand_in.services", package, str(SUCCESSIVE_CALLS)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr
    assert is_stable(json.loads(ended.stdout)), ended.stdout


@pytest.mark.parametrize("served", ["template"], indirect=True)
async def test_memory_stays_flat_over_thousands_of_calls_over_http_of_both_eras(served, http):
    modern = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": served.tool}
    before = await metric(http, served.base, "mcp_tool_calls_total", 'outcome="ok"')
    memory: list[float] = []
    async with httpx2.AsyncClient(timeout=60, headers=HEADERS) as clients:
        for _ in range(4):
            left = iter(range(SUCCESSIVE_CALLS // 4))

            async def caller(headers: dict[str, str]) -> None:
                for number in left:  # noqa: B023
                    call = served.call(f"call {number}", **(MODERN_META if headers else {}))
                    answer = await clients.post(f"{served.base}/mcp", json=call, headers=headers)
                    assert f'"call {number}"' in answer.text

            await asyncio.gather(*(caller(headers) for headers in [modern, {}] * 4))
            memory.append(resident_mib(served.pid))
    assert await metric(http, served.base, "mcp_tool_calls_total", 'outcome="ok"') == before + SUCCESSIVE_CALLS
    assert is_stable(memory), memory
