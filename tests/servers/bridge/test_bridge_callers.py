"""Checks what each caller of the bridge may use, and that callers of a `session` service have a child each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import anyio
import httpx2
import pytest
from dyber_kit.bridge.children import SessionChildren
from dyber_kit.bridge.listing import Lock
from dyber_kit.bridge.offering.questions import missing_capability
from dyber_kit.bridge.supervisor import Supervisor
from dyber_kit.observing.logs import NO_REQUEST, RequestInfo, current_request
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.types import ElicitResult

from tests.servers.bridge.waiting import code_of, until
from tests.servers.conftest import CONNECTIONS
from tests.stand_in.bridges import QUICK, Bridge, bridge, settings_of, text_of

READING = {"X-Dyber-Scope": "read"}


@pytest.fixture(scope="module")
def reviewed(lock: Lock) -> Iterator[Bridge]:
    """Return a bridge whose reviewer knows better than the hints of three tools."""
    settings = settings_of(tools={"write": "read", "echo": "write", "crash": "off"})
    with bridge(settings, lock) as running:
        yield running


def caller(base: str, **headers: str) -> Client:
    """Return a client of 2026-07-28 that sends these headers."""
    return Client(streamable_http_client(f"{base}/mcp", http_client=httpx2.AsyncClient(headers=headers)))


async def test_a_caller_that_may_read_sees_the_tools_that_the_reviewer_or_the_server_calls_reading(
    reviewed: Bridge, lock: Lock
) -> None:
    async with caller(reviewed.base, **READING) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert tools.keys() == lock.tools.keys() - {"echo", "crash"}
        assert all(tool.annotations and tool.annotations.read_only_hint for tool in tools.values())
        assert code_of(await client.call_tool("echo", {"text": "a"})) == "INVALID_ARGUMENT"


async def test_a_tool_that_the_reviewer_has_switched_off_does_not_exist(reviewed: Bridge) -> None:
    async with caller(reviewed.base) as client:
        answer = await client.call_tool("crash", {})
    assert code_of(answer) == "INVALID_ARGUMENT" and "crash" in text_of(answer)


async def test_a_read_only_service_leaves_out_tools_without_a_hint(lock: Lock) -> None:
    with bridge(settings_of(), lock, read_only=True) as running:
        async with caller(running.base) as client:
            assert {tool.name for tool in (await client.list_tools()).tools} == lock.tools.keys() - {"write"}
            refused = await client.call_tool("write", {"file": "/x"})
            assert code_of(refused) == "READ_ONLY"
            assert "write: read" in text_of(refused) and "source.tools" in text_of(refused)
    told = {"write": {**lock.tools["write"], "annotations": {"readOnlyHint": False}}}
    with bridge(settings_of(), replace(lock, tools=lock.tools | told), read_only=True) as running:
        async with caller(running.base) as client:
            assert "source.tools" not in text_of(await client.call_tool("write", {"file": "/x"}))


@pytest.mark.parametrize("way", ["modern", "legacy"])
async def test_a_tool_that_a_group_renames_is_called_by_the_name_in_the_lock(reviewed: Bridge, way: str) -> None:
    http = httpx2.AsyncClient(headers={**READING, "X-Dyber-Tool": "write"})
    connection = streamable_http_client(f"{reviewed.base}/mcp", http_client=http)
    async with Client(connection, mode="auto" if way == "modern" else "legacy") as client:
        assert not (await client.call_tool("save", {"file": "/dev/null"})).is_error


LASTING = replace(QUICK, idle=600)


async def test_each_caller_of_a_session_service_has_its_own_child(lock: Lock) -> None:
    with bridge(settings_of(child="session", max_children=2), lock, timings=LASTING) as running:
        counts = {}
        for name in ("anna", "bert", "anna", "carl"):
            async with caller(running.base, **{"X-Dyber-Client": name}) as client:
                counts[name] = await client.call_tool("count", {})
        assert [text_of(counts[name]).split()[0] for name in ("anna", "bert")] == ["2", "1"]
        assert code_of(counts["carl"]) == "BUSY"


class Noting:
    """Stands for the supervisor of a child; notes the request in whose context it runs."""

    is_up = has_failed = False

    def __init__(self, requests: list[RequestInfo]) -> None:
        self._requests = requests

    async def run(self) -> None:
        self._requests.append(current_request.get())


async def test_a_child_does_not_run_in_the_context_of_the_call_that_starts_it() -> None:
    requests: list[RequestInfo] = []
    children = SessionChildren(lambda: cast(Supervisor, Noting(requests)), most=2, limit=1, timings=LASTING)
    async with anyio.create_task_group() as tasks:
        await tasks.start(children.run)
        children.choose()  # This caller gets the child that has started already.
        token = current_request.set(RequestInfo(request_id="r-1", client="bert"))
        children.choose()
        current_request.reset(token)
        await until(lambda: len(requests) == 2)
        tasks.cancel_scope.cancel()
    assert requests == [NO_REQUEST, NO_REQUEST]


async def test_the_child_of_an_idle_session_ends_and_the_next_call_starts_another(lock: Lock) -> None:
    with bridge(settings_of(child="session"), lock) as running:
        async with caller(running.base) as client:
            first = text_of(await client.call_tool("count", {}))
            await until(lambda: running.metric("mcp_child_up") == 0)
            assert running.ready()[0] == 200
            second = text_of(await client.call_tool("count", {}))
        assert first.split()[0] == second.split()[0] == "1" and first != second


async def test_two_legacy_sse_sessions_have_a_child_each(lock: Lock) -> None:
    with bridge(settings_of(child="session", max_children=2), lock, timings=LASTING) as running:
        async with CONNECTIONS["sse"](running.base) as first, CONNECTIONS["sse"](running.base) as second:
            counts = [text_of(await client.call_tool("count", {})) for client in (first, second, first)]
        assert [count.split()[0] for count in counts] == ["1", "1", "2"]


async def test_a_call_of_a_pool_goes_to_the_child_that_is_free(lock: Lock, tmp_path: Path) -> None:
    release = tmp_path / "release"
    with bridge(settings_of(child="pool", max_children=2, max_in_flight=1), lock) as running:
        await until(lambda: running.metric("mcp_child_up") == 2)
        async with caller(running.base) as client:
            waiting = asyncio.create_task(client.call_tool("wait", {"file": str(release)}))
            await until(lambda: running.metric("mcp_calls_in_flight") == 1)
            assert text_of(await client.call_tool("count", {})).startswith("1 ")
            release.touch()
            assert text_of(await waiting) == "done"


async def test_a_question_of_a_modern_child_reaches_only_clients_that_can_answer(
    lock: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOREIGN_ERA", "modern")
    with bridge(settings_of(era="modern", passed=["FOREIGN_ERA"]), lock) as running:
        address = f"{running.base}/mcp"
        async with Client(address, mode="legacy", elicitation_callback=answer_with_a_name) as client:
            assert code_of(await client.call_tool("question", {})) == "NOT_CONFIGURED"
        async with Client(address, mode="auto", elicitation_callback=answer_with_a_name) as client:
            assert text_of(await client.call_tool("question", {})) == "hello Anna, state état 1"
        async with Client(address, mode="auto") as client:
            with pytest.raises(MCPError) as refused:
                await client.call_tool("question", {})
    error = refused.value.error
    assert (error.code, error.data) == (-32021, {"requiredCapabilities": {"elicitation": {"form": {}}}})


@pytest.mark.parametrize(
    ("method", "params", "declared", "missing"),
    [
        ("elicitation/create", {"mode": "form"}, {"elicitation": {}}, None),
        ("elicitation/create", {}, {"elicitation": {"url": {}}}, {"elicitation": {"form": {}}}),
        ("elicitation/create", {"mode": "url"}, {"elicitation": {}}, {"elicitation": {"url": {}}}),
        ("elicitation/create", {"mode": "url"}, {"elicitation": {"url": {}}}, None),
        ("sampling/createMessage", {}, {"sampling": {}}, None),
        ("sampling/createMessage", {}, {"elicitation": {}}, {"sampling": {}}),
        ("sampling/createMessage", {"tools": [{"name": "a"}]}, {"sampling": {}}, {"sampling": {"tools": {}}}),
    ],
)
def test_a_question_needs_the_capability_that_its_kind_has(
    method: str, params: dict[str, Any], declared: dict[str, Any], missing: dict[str, Any] | None
) -> None:
    assert missing_capability({"method": method, "params": params}, declared) == missing


async def answer_with_a_name(context: object, params: object) -> ElicitResult:
    return ElicitResult(action="accept", content={"name": "Anna"})


async def test_the_state_of_a_question_is_not_taken_from_another_client(
    lock: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOREIGN_ERA", "modern")
    capable = {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}
    version = "2026-07-28"
    meta = {"io.modelcontextprotocol/protocolVersion": version, **capable}
    headers = {
        "MCP-Protocol-Version": version,
        "Mcp-Method": "tools/call",
        "Mcp-Name": "question",
        "Accept": "application/json, text/event-stream",
    }

    def ask(base: str, client: str, **more: object) -> httpx2.Response:
        params = {"name": "question", "arguments": {}, "_meta": meta, **more}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        return httpx2.post(f"{base}/mcp", json=body, headers={**headers, "X-Dyber-Client": client})

    with bridge(settings_of(era="modern", passed=["FOREIGN_ERA"]), lock) as running:
        asked = ask(running.base, "anna").json()["result"]
        assert asked["resultType"] == "input_required" and "état" not in asked["requestState"]
        answers = {"name": {"action": "accept", "content": {"name": "Anna"}}}
        given = {"inputResponses": answers, "requestState": asked["requestState"]}
        assert "error" in ask(running.base, "bert", **given).json()
        assert "hello Anna" in ask(running.base, "anna", **given).text
