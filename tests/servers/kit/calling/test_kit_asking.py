"""Tests of tools that ask the caller's user before they run (`Resolve`), in both protocol eras over all transports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any

import httpx2
import pytest
from dyber_kit import Settings, create_app, tool
from dyber_kit.errors import ERROR_META
from dyber_kit.serving.server import build_server
from mcp import Client
from mcp.client.sse import sse_client
from mcp.server.mcpserver import Context, Elicit, Resolve
from mcp.shared.exceptions import MCPError
from mcp.types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
)
from pydantic import BaseModel, Field

from tests.stand_in.header_attacks import META, MODERN
from tests.stand_in.running import free_port, running

Connect = Callable[[str], AbstractAsyncContextManager[Client]]


class Choice(BaseModel):
    """Is what the user is asked for."""

    colour: str = Field(description="Colour")


class Painted(BaseModel):
    """Is the answer."""

    item: str
    colour: str


def ask_colour(item: str) -> Elicit[Choice]:
    """Ask for a colour."""
    return Elicit(f"Which colour for {item}?", Choice)


@tool(title="上色", read_only=True, open_world=False)
async def demo_paint(
    item: Annotated[str, Field(description="What to paint", max_length=20)],
    choice: Annotated[Choice, Resolve(ask_colour)],
) -> Painted:
    """Paint something in a colour that the user chooses."""
    return Painted(item=item, colour=choice.colour)


@tool(title="自己问", read_only=True, open_world=False)
async def demo_ask_itself(ctx: Context) -> Painted | InputRequiredResult:
    """Ask without `Resolve`."""
    answer = (ctx.input_responses or {}).get("colour")
    if not isinstance(answer, ElicitResult):
        schema = {"type": "object", "properties": {"colour": {"type": "string"}}}
        question = ElicitRequest(params=ElicitRequestFormParams(message="Which?", requested_schema=schema))
        return InputRequiredResult(input_requests={"colour": question})
    return Painted(item="wall", colour=str((answer.content or {})["colour"]))


def serve(**options: Any) -> Any:
    app = create_app(
        name="demo",
        title="示例",
        version="1",
        instructions="",
        tools=[demo_paint, demo_ask_itself],
        settings=Settings(port=free_port()),
        **options,
    )
    return running(build_server(app))


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    """Return the base URL of a running service whose tools ask."""
    with serve() as base:
        yield base


async def choose_green(context: Any, params: Any) -> ElicitResult:
    assert params.message == "Which colour for a wall?" or params.message == "Which?"
    return ElicitResult(action="accept", content={"colour": "green"})


async def decline(context: Any, params: Any) -> ElicitResult:
    return ElicitResult(action="decline")


def connection(kind: str, base: str, answer: Any) -> Client:
    if kind == "sse":
        return Client(sse_client(f"{base}/mcp/sse"), mode="legacy", elicitation_callback=answer)
    return Client(f"{base}/mcp", mode="legacy" if kind == "legacy" else "auto", elicitation_callback=answer)


KINDS = ["modern", "legacy", "sse"]


@pytest.mark.parametrize("kind", KINDS)
async def test_the_user_is_asked_before_the_tool_runs(demo: str, kind: str) -> None:
    async with connection(kind, demo, choose_green) as client:
        result = await client.call_tool("demo_paint", {"item": "a wall"})
    assert result.structured_content == {"item": "a wall", "colour": "green"}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_tool_does_not_run_when_the_user_declines(demo: str, kind: str) -> None:
    async with connection(kind, demo, decline) as client:
        result = await client.call_tool("demo_paint", {"item": "a wall"})
    assert result.is_error and result.meta is not None
    assert result.meta[ERROR_META]["code"] == "CONFIRMATION_REQUIRED"


async def test_agents_do_not_see_what_the_user_is_asked_for(demo: str) -> None:
    async with Client(f"{demo}/mcp") as client:
        listed = (await client.list_tools()).tools[0]
    assert set(listed.input_schema["properties"]) == {"item"}


@pytest.mark.parametrize("kind", ["legacy", "sse"])
async def test_an_older_client_that_cannot_ask_is_told_what_to_do(demo: str, kind: str) -> None:
    async with connection(kind, demo, None) as client:
        result = await client.call_tool("demo_paint", {"item": "a wall"})
    assert result.is_error and result.meta is not None
    assert result.meta[ERROR_META]["code"] == "NOT_CONFIGURED"


async def test_a_client_of_today_that_cannot_ask_gets_the_protocols_error(demo: str) -> None:
    async with connection("modern", demo, None) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("demo_paint", {"item": "a wall"})
    assert caught.value.error.code == MISSING_REQUIRED_CLIENT_CAPABILITY


async def test_a_tool_can_ask_by_itself(demo: str) -> None:
    async with connection("modern", demo, choose_green) as client:
        result = await client.call_tool("demo_ask_itself")
    assert result.structured_content == {"item": "wall", "colour": "green"}


async def test_the_answer_reaches_a_tool_that_reports_progress(demo: str) -> None:
    async def note(progress: float, total: float | None, message: str | None) -> None: ...

    async with connection("modern", demo, choose_green) as client:
        result = await client.call_tool("demo_ask_itself", progress_callback=note)
    assert result.structured_content == {"item": "wall", "colour": "green"}


INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}
STREAM = {"accept": "application/json, text/event-stream"}


async def session_of(base: str) -> str | None:
    """Return the session's id that a client of 2025-11-25 gets."""
    async with httpx2.AsyncClient(headers=STREAM) as http:
        return (await http.post(f"{base}/mcp", json=INITIALIZE)).headers.get("mcp-session-id")


async def test_older_clients_get_a_session_only_where_a_tool_asks(demo: str, template: str) -> None:
    assert await session_of(demo)
    assert await session_of(template) is None


async def test_sessions_can_be_switched_off() -> None:
    with serve(sessions=False) as base:
        assert await session_of(base) is None
        async with connection("legacy", base, choose_green) as client:
            result = await client.call_tool("demo_paint", {"item": "a wall"})
    assert result.meta is not None and result.meta[ERROR_META]["code"] == "NOT_CONFIGURED"


async def test_an_ended_session_is_unknown(demo: str) -> None:
    session = await session_of(demo)
    headers = {**STREAM, "mcp-session-id": session or "", "mcp-protocol-version": "2025-11-25"}
    message = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    async with httpx2.AsyncClient(headers=headers) as http:
        assert (await http.post(f"{demo}/mcp", json=message)).status_code == 200
        assert (await http.delete(f"{demo}/mcp")).status_code == 200
        assert (await http.post(f"{demo}/mcp", json=message)).status_code == 404


async def test_requests_without_a_session_are_still_answered(demo: str) -> None:
    async with httpx2.AsyncClient(headers=STREAM) as http:
        answer = await http.post(f"{demo}/mcp", json={"jsonrpc": "2.0", "id": 2, "method": "tools/list"})
    assert answer.status_code == 200


async def test_an_answer_is_taken_from_the_client_that_was_asked_only(demo: str) -> None:
    meta = {**META, "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}
    headers = {**STREAM, "mcp-protocol-version": MODERN, "mcp-method": "tools/call", "mcp-name": "demo_paint"}
    params: dict[str, Any] = {"name": "demo_paint", "arguments": {"item": "a wall"}, "_meta": meta}

    async def call(client: str) -> Any:
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        async with httpx2.AsyncClient(headers={**headers, "accept": "application/json"}) as http:
            answer = await http.post(f"{demo}/mcp", json=message, headers={"X-Dyber-Client": client})
        return answer.json()

    asked = (await call("alice"))["result"]
    answers = {name: {"action": "accept", "content": {"colour": "green"}} for name in asked["inputRequests"]}
    params |= {"inputResponses": answers, "requestState": asked["requestState"]}
    assert "Invalid or expired requestState" in (await call("bob"))["error"]["message"]
    assert (await call("alice"))["result"]["structuredContent"] == {"item": "a wall", "colour": "green"}
