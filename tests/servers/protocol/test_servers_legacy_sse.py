"""Tests of legacy SSE sessions: their ids, and that they do not end between a call and its answer."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
import pytest

from tests.stand_in.running import process

ACCEPT = {"accept": "application/json, text/event-stream"}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


def call(number: int, tool: str, **arguments: object) -> dict:
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


@dataclass
class Session:
    """Is a legacy session without the SDK, so that each POST can use a new connection."""

    base: str
    response: httpx2.Response
    lines: AsyncIterator[str]
    endpoint: str

    async def post(self, message: dict) -> httpx2.Response:
        async with httpx2.AsyncClient(timeout=20) as http:
            return await http.post(self.base + self.endpoint, json=message)

    async def answer(self, number: int) -> dict:
        async for line in self.lines:
            if line.startswith("data: {") and (message := json.loads(line[6:])).get("id") == number:
                return message
        raise AssertionError(f"the stream ended without answer {number}")

    async def remaining_lines(self) -> list[str]:
        """Return the remaining lines of the stream; raise an error when its body has no proper end."""
        return [line async for line in self.lines]


@asynccontextmanager
async def session(base: str, **headers: str) -> AsyncIterator[Session]:
    async with (
        httpx2.AsyncClient(timeout=60) as http,
        http.stream("GET", f"{base}/mcp/sse", headers=headers) as response,
    ):
        lines = response.aiter_lines()
        assert await anext(lines) == "event: endpoint"
        yield Session(base, response, lines, (await anext(lines)).removeprefix("data: "))


async def test_the_headers_of_a_stream_name_its_session(template):
    async with session(template) as stream:
        named = stream.response.headers["x-dyber-session"]
        assert stream.endpoint == f"/mcp/messages/?session_id={named}"


async def test_a_stream_behind_a_prefix_names_its_session(template):
    async with session(template, **{"X-Forwarded-Prefix": "/api/template"}) as stream:
        assert stream.endpoint == f"/api/template/mcp/messages/?session_id={stream.response.headers['x-dyber-session']}"


async def test_no_other_answer_names_a_session(template):
    async with httpx2.AsyncClient() as http:
        for answer in (await http.get(f"{template}/health"), await http.post(f"{template}/mcp/sse")):
            assert "x-dyber-session" not in answer.headers


async def test_a_session_is_removed_when_its_client_has_left(template):
    async with session(template) as stream:
        assert (await stream.post(INITIALIZE)).status_code == 202
    for _ in range(200):
        if (await stream.post(INITIALIZE)).status_code == 404:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the session outlived its client")


async def stop(child) -> None:
    """Send SIGTERM and wait until the server says that it drains."""
    child.send_signal(signal.SIGTERM)
    for line in child.stdout:
        if json.loads(line)["message"] == "draining":
            return


async def test_after_sigterm_a_call_on_a_new_connection_is_answered_and_the_stream_ends_properly():
    with process("template_server") as (child, base):
        async with session(base) as stream:
            await stream.post(INITIALIZE)
            await stream.answer(0)
            await stop(child)
            accepted = await stream.post(call(1, "template_countdown", steps=15, interval_ms=200))
            assert (accepted.status_code, accepted.headers["connection"]) == (202, "close")
            # While the first call runs, the session accepts another call for a limited time.
            await asyncio.sleep(1.8)
            assert (await stream.post(call(2, "template_echo", text="again"))).status_code == 202
            answers = {2: await stream.answer(2), 1: await stream.answer(1)}
            assert answers[1]["result"]["structuredContent"]["steps"] == 15
            assert answers[2]["result"]["structuredContent"]["text"] == "again"
            assert not [line for line in await stream.remaining_lines() if line.startswith("data:")]
        output, _ = await asyncio.to_thread(child.communicate, None, 30)
    assert not [line for line in output.splitlines() if json.loads(line)["level"] not in ("INFO", "DEBUG")], output


async def test_a_quiet_session_ends_properly_while_a_call_of_another_session_runs():
    with process("template_server") as (child, base):
        async with session(base) as busy, session(base) as idle:
            await busy.post(INITIALIZE)
            await busy.answer(0)
            await busy.post(call(1, "template_countdown", steps=8, interval_ms=1000))
            await stop(child)
            answered = asyncio.create_task(busy.answer(1))
            assert not [line for line in await idle.remaining_lines() if line.startswith("data:")]
            assert not answered.done()
            assert (await answered)["result"]["structuredContent"]["steps"] == 8
            assert not [line for line in await busy.remaining_lines() if line.startswith("data:")]


async def test_a_stopping_server_still_serves_new_connections_but_leaves_new_streams_to_others():
    with process("template_server") as (child, base):
        await stop(child)
        async with httpx2.AsyncClient() as http:
            listed = await http.post(
                f"{base}/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, headers=ACCEPT
            )
            with pytest.raises(httpx2.RemoteProtocolError, match="without sending a response"):
                await http.get(f"{base}/mcp/sse")
            ready = await http.get(f"{base}/ready")
    assert (listed.status_code, listed.headers["connection"]) == (200, "close")
    assert (ready.status_code, ready.json()["status"]) == (503, "draining")
