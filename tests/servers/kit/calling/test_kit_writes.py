"""Tests of the two steps of a write over each transport: a dry run, then the same call once, within its time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from types import SimpleNamespace
from typing import Annotated, Any

import httpx2
import pytest
from dyber_kit import Settings, create_app, tool
from dyber_kit.serving.server import build_server
from dyber_kit.writes import confirm as confirm_module
from dyber_kit.writes.confirm import MAX_TOKEN_CHARS, Confirmations
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from pydantic import BaseModel, Field

from tests.stand_in.running import free_port, running

Connect = Callable[[str], AbstractAsyncContextManager[Client]]

written: list[str] = []
confirmations = Confirmations(valid_seconds=60)


class Written(BaseModel):
    """Reports whether a write was done, or its confirmation."""

    done: bool
    confirmation: str | None


async def write(name: str, text: str, dry_run: bool, confirmation: str) -> Written:
    if dry_run:
        return Written(done=False, confirmation=confirmations.issue(name, {"text": text}))
    confirmations.redeem(confirmation, name, {"text": text})
    written.append(f"{name} {text}")
    return Written(done=True, confirmation=None)


Text = Annotated[str, Field(description="What to write", max_length=100)]
DryRun = Annotated[bool, Field(description="Only show")]
Token = Annotated[str, Field(description="Of the dry run", max_length=MAX_TOKEN_CHARS)]


@tool(title="贴", read_only=False, open_world=False)
async def board_pin(text: Text, dry_run: DryRun = True, confirmation: Token = "") -> Written:
    """Pin a text on the board."""
    return await write("board_pin", text, dry_run, confirmation)


@tool(title="撕", read_only=False, open_world=False, destructive=True)
async def board_tear(text: Text, dry_run: DryRun = True, confirmation: Token = "") -> Written:
    """Tear a text off the board."""
    return await write("board_tear", text, dry_run, confirmation)


@pytest.fixture(scope="module")
def board() -> Iterator[str]:
    """Return the base URL of a service that writes."""
    settings = Settings(port=free_port(), read_only=False)
    tools = [board_pin, board_tear]
    app = create_app(name="board", title="公告板", version="1.0.0", instructions="", tools=tools, settings=settings)
    with running(build_server(app)) as base:
        yield base


@pytest.fixture(autouse=True)
def clear_written() -> None:
    written.clear()


async def dry_run_token(client: Client, text: str) -> str:
    """Return the confirmation of a dry run of board_pin."""
    result = await client.call_tool("board_pin", {"text": text})
    assert (result.structured_content["done"], written) == (False, [])
    return result.structured_content["confirmation"]


async def refusal(client: Client, name: str, **arguments: Any) -> str:
    result = await client.call_tool(name, {"dry_run": False, **arguments})
    assert result.is_error, result.structured_content
    return result.content[0].text


async def test_the_confirmed_write_is_carried_out_once(board, connect):
    async with connect(board) as client:
        token = await dry_run_token(client, "好")
        result = await client.call_tool("board_pin", {"text": "好", "dry_run": False, "confirmation": token})
        assert (result.structured_content["done"], written) == (True, ["board_pin 好"])
        text = await refusal(client, "board_pin", text="好", confirmation=token)
    assert text.startswith("CONFIRMATION_REQUIRED：确认码已经用过")
    assert written == ["board_pin 好"]


async def test_without_a_dry_run_nothing_is_written_and_the_error_has_the_next_step(board, connect):
    async with connect(board) as client:
        text = await refusal(client, "board_pin", text="好")
    assert text.startswith("CONFIRMATION_REQUIRED：")
    assert "dry_run=true" in text
    assert written == []


@pytest.mark.parametrize(
    ("name", "text", "altered"),
    [("board_pin", "坏", False), ("board_tear", "好", False), ("board_pin", "好", True)],
    ids=["other arguments", "another tool", "an altered code"],
)
async def test_the_confirmation_of_another_call_writes_nothing(board, name, text, altered):
    async with Client(f"{board}/mcp") as client:
        token = await dry_run_token(client, "好")
        if altered:
            token = token[::-1]
        refused = await refusal(client, name, text=text, confirmation=token)
    assert refused.startswith("CONFIRMATION_REQUIRED：确认码不属于这次操作")
    assert written == []


async def test_an_expired_confirmation_writes_nothing(board, monkeypatch):
    async with Client(f"{board}/mcp") as client:
        token = await dry_run_token(client, "好")
        later = time.time() + 61
        monkeypatch.setattr(confirm_module, "time", SimpleNamespace(time=lambda: later))
        refused = await refusal(client, "board_pin", text="好", confirmation=token)
    assert refused.startswith("CONFIRMATION_REQUIRED：确认码已过期")
    assert written == []


def connections_for(client: str) -> dict[str, Connect]:
    """Return by transport how the gateway connects for `client`."""
    headers = {"X-Dyber-Client": client}
    return {
        "streamable": lambda base: Client(
            streamable_http_client(f"{base}/mcp", http_client=httpx2.AsyncClient(headers=headers))
        ),
        "sse": lambda base: Client(sse_client(f"{base}/mcp/sse", headers=headers), mode="legacy"),
    }


@pytest.mark.parametrize("transport", ["streamable", "sse"])
async def test_a_confirmation_is_not_valid_for_another_client(board, transport):
    async with connections_for("laptop")[transport](board) as client:
        token = await dry_run_token(client, "好")
    async with connections_for("phone")[transport](board) as other:
        text = await refusal(other, "board_pin", text="好", confirmation=token)
    assert "另一个客户端" in text
    assert written == []
    async with connections_for("laptop")[transport](board) as again:
        result = await again.call_tool("board_pin", {"text": "好", "dry_run": False, "confirmation": token})
    assert (result.structured_content["done"], written) == (True, ["board_pin 好"])
