"""Tests that callers get messages in their language, over every transport, in both eras of the protocol, and in REST."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import httpx2
import pytest
from dyber_kit import ErrorCode, RestRoute, ServiceError, Settings, create_app, prompt, tool
from dyber_kit.serving.server import build_server
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel, Field

from tests.servers.protocol.test_servers_legacy_sse import INITIALIZE, session
from tests.servers.protocol.test_servers_scopes import WAYS, asking, request
from tests.stand_in.running import free_port, running

ENGLISH, CHINESE = {"Accept-Language": "en"}, {"Accept-Language": "zh-CN"}
NOT_FOUND = {
    "zh": "NOT_FOUND：内容不存在或已被删除。下一步：",
    "en": "NOT_FOUND: The content does not exist or was deleted. ",
}


class Found(BaseModel):
    """Is the answer of the tool."""

    ok: bool


class Search(BaseModel):
    """Is the body of the route."""

    limit: int = Field(1, ge=1, le=5)


@tool(title="查找", read_only=True, open_world=False)
async def books_find(limit: Annotated[int, Field(description="Most books", ge=1, le=5)] = 1) -> Found:
    """Find nothing."""
    raise ServiceError(ErrorCode.NOT_FOUND)


@prompt(title="问候")
async def greet() -> str:
    """Greet."""
    return "你好"


async def rest_find(body: Search) -> Found:
    """Find nothing."""
    raise ServiceError(ErrorCode.NOT_FOUND)


def serve(language: str, sessions: bool = False) -> Iterator[str]:
    app = create_app(
        name="books",
        title="书",
        version="1.0.0",
        instructions="",
        tools=[books_find],
        prompts=[greet],
        rest=[RestRoute("/find", "find", rest_find)],
        sessions=sessions,
        settings=Settings(port=free_port(), language=language),
    )
    with running(build_server(app)) as base:
        yield base


@pytest.fixture(scope="module")
def chinese() -> Iterator[str]:
    """Return the base URL of a service without a setting."""
    yield from serve("zh")


@pytest.fixture(scope="module")
def english() -> Iterator[str]:
    """Return the base URL of a service with DYBER_LANGUAGE=en."""
    yield from serve("en")


@pytest.fixture(scope="module")
def with_sessions() -> Iterator[str]:
    """Return the base URL of a service that has sessions for older clients."""
    yield from serve("zh", sessions=True)


async def answers(base: str, era: str, accept: str, *calls: tuple[str, dict], **headers: str) -> list[dict]:
    async with asking(base, era, accept, "all", **headers) as ask:
        return [
            (await ask(request(number, "tools/call", name=name, arguments=arguments)))["result"]
            for number, (name, arguments) in enumerate(calls, 1)
        ]


def text_of(answer: dict) -> str:
    assert answer["isError"]
    return answer["content"][0]["text"]


@pytest.mark.parametrize(("era", "accept"), WAYS)
@pytest.mark.parametrize(
    ("setting", "headers", "expected"),
    [
        ("chinese", {}, "zh"),
        ("chinese", {"Accept-Language": "*"}, "zh"),
        ("chinese", {"Accept-Language": "fr-FR,fr;q=0.9"}, "zh"),
        ("chinese", ENGLISH, "en"),
        ("english", {}, "en"),
        ("english", CHINESE, "zh"),
    ],
)
async def test_a_failed_call_is_answered_in_the_callers_language(request, era, accept, setting, headers, expected):
    base = request.getfixturevalue(setting)
    (answer,) = await answers(base, era, accept, ("books_find", {}), **headers)
    assert text_of(answer).startswith(NOT_FOUND[expected])
    assert answer["_meta"]["dyber/error"]["code"] == "NOT_FOUND"


@pytest.mark.parametrize(("era", "accept"), WAYS)
async def test_an_unknown_tool_is_answered_with_a_code_and_the_nearest_name(chinese, era, accept):
    (answer,) = await answers(chinese, era, accept, ("book_find", {}), **ENGLISH)
    assert text_of(answer) == (
        "INVALID_ARGUMENT: There is no tool book_find. Next step: The nearest is books_find. "
        "Available tools: books_find (the same call will not succeed)"
    )
    assert answer["_meta"]["dyber/error"] == {"code": "INVALID_ARGUMENT", "retryable": False}


@pytest.mark.parametrize(("era", "accept"), WAYS)
async def test_refused_arguments_are_named_in_the_answer(chinese, era, accept):
    (answer,) = await answers(chinese, era, accept, ("books_find", {"limit": 9}), **ENGLISH)
    assert "limit: must be an integer from 1 to 5 (given: 9)" in text_of(answer)
    assert answer["_meta"]["dyber/error"]["fields"] == ["limit"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_error_of_the_protocol_is_in_the_callers_language(chinese, mode):
    http = httpx2.AsyncClient(headers=ENGLISH, timeout=30)
    async with Client(streamable_http_client(f"{chinese}/mcp", http_client=http), mode=mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.get_prompt("great")
    message = caught.value.error.message
    assert message.startswith("INVALID_ARGUMENT: There is no prompt great. Next step: The nearest is greet. ")


async def test_in_a_legacy_session_each_message_has_its_own_language(chinese):
    async with session(chinese, **CHINESE) as stream, httpx2.AsyncClient(timeout=20) as http:
        await http.post(chinese + stream.endpoint, json=INITIALIZE)
        await stream.answer(0)
        await http.post(chinese + stream.endpoint, json={"jsonrpc": "2.0", "method": "notifications/initialized"})
        for number, (headers, expected) in enumerate([(ENGLISH, "en"), ({}, "zh"), (ENGLISH, "en")], 1):
            call = request(number, "tools/call", name="books_find", arguments={})
            await http.post(chinese + stream.endpoint, json=call, headers=headers)
            assert text_of((await stream.answer(number))["result"]).startswith(NOT_FOUND[expected])


async def test_in_a_session_of_streamable_http_each_message_has_its_own_language(with_sessions):
    http = httpx2.AsyncClient(headers=CHINESE, timeout=30)
    async with Client(streamable_http_client(f"{with_sessions}/mcp", http_client=http), mode="legacy") as client:
        for headers, expected in [(ENGLISH, "en"), (CHINESE, "zh")]:
            http.headers.update(headers)
            result = await client.call_tool("books_find", {})
            assert result.content[0].text.startswith(NOT_FOUND[expected])


@pytest.mark.parametrize(("headers", "expected"), [({}, "内容不存在或已被删除"), (ENGLISH, "The content does not exist or was deleted")])  # fmt: skip
async def test_rest_callers_get_their_language_and_the_same_fields_as_ever(chinese, headers, expected):
    async with httpx2.AsyncClient() as http:
        answer = (await http.post(f"{chinese}/find", json={}, headers=headers)).json()
        refused = (await http.post(f"{chinese}/find", json={"limit": 9}, headers=headers)).json()
    names = ["status", "service", "action", "error", "code", "next_step", "retryable"]
    assert (answer["error"], list(answer), list(refused)) == (expected, names, ["detail", *names])


@pytest.mark.parametrize(("headers", "expected"), [({}, "请求正文应为 JSON，请发送"), (ENGLISH, "The body must be JSON; send")])  # fmt: skip
async def test_a_refused_request_is_answered_in_the_callers_language_alone(chinese, headers, expected):
    async with httpx2.AsyncClient() as http:
        answer = await http.post(f"{chinese}/mcp", content="{}", headers=headers)
    assert answer.json()["error"]["message"] == f"{expected} Content-Type: application/json"
