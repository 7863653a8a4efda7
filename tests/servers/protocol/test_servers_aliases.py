"""Tests that a call with X-Dyber-Tool is a call of the tool in that header, in both eras over all transports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import httpx2
import pytest
from dyber_kit import Settings, create_app, tool
from dyber_kit.serving.server import build_server
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import Elicit, Resolve
from mcp.types import ElicitResult
from pydantic import BaseModel, Field

from tests.servers.protocol.test_servers_scopes import WAYS, asking, request
from tests.stand_in.header_attacks import META, MODERN
from tests.stand_in.running import free_port, running


class Text(BaseModel):
    """Is the answer of the tools here."""

    text: str


@tool(title="回声", read_only=True, open_world=False)
async def try_echo(
    text: Annotated[str, Field(description="Text", max_length=20)],
    region: Annotated[str, Field(description="Region", json_schema_extra={"x-mcp-header": "Region"})] = "",
) -> Text:
    """Return the text."""
    return Text(text=f"echo {text}{region}")


@tool(title="丢弃", read_only=False, open_world=False)
async def try_drop(text: Annotated[str, Field(description="Text")] = "") -> Text:
    """Drop the text."""
    return Text(text=f"dropped {text}")


def ask_text() -> Elicit[Text]:
    """Ask for a text."""
    return Elicit("Which text?", Text)


@tool(title="询问", read_only=True, open_world=False)
async def try_ask(answer: Annotated[Text, Resolve(ask_text)]) -> Text:
    """Return the text that the user gives."""
    return Text(text=f"asked {answer.text}")


@tool(title="另问", read_only=True, open_world=False)
async def try_ask_again(answer: Annotated[Text, Resolve(ask_text)]) -> Text:
    """Return the text that the user gives, in other words."""
    return Text(text=f"asked again {answer.text}")


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """Return the base URL of a service that takes requests from a gateway only."""
    app = create_app(
        name="try",
        title="测试",
        version="1",
        instructions="",
        tools=[try_echo, try_drop, try_ask, try_ask_again],
        settings=Settings(port=free_port(), require_scope=True, read_only=False),
    )
    with running(build_server(app)) as url:
        yield url


async def called(base: str, way: tuple[str, str], name: str, tool: str, scope: str = "all") -> tuple[bool, str]:
    """Call a tool; return whether the answer is an error, and its text."""
    async with asking(base, *way, scope, **{"X-Dyber-Tool": tool}) as ask:
        answer = (await ask(request(2, "tools/call", name=name, arguments={"text": "a"})))["result"]
    return answer.get("isError", False), answer["content"][0]["text"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["say", "try_drop"])
async def test_the_tool_in_the_header_runs(base, way, name):
    is_error, text = await called(base, way, name, "try_echo")
    assert not is_error and "echo a" in text


@pytest.mark.parametrize("way", WAYS)
async def test_the_scope_counts_for_the_tool_in_the_header(base, way):
    assert not (await called(base, way, "say", "try_echo", "tools:try_echo"))[0]
    assert not (await called(base, way, "try_drop", "try_echo", "read"))[0]
    for scope in ("tools:try_echo", "read"):
        is_error, text = await called(base, way, "try_echo", "try_drop", scope)
        assert is_error and "没有名为 try_drop 的工具" in text


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "tool", ["", "try_nothing", "TRY_ECHO", "try_echo,try_drop", "try echo", "a" * 129, "try_echo;x"]
)
async def test_a_header_that_names_no_tool_is_an_unknown_tool_and_not_the_tool_in_the_body(base, way, tool):
    is_error, text = await called(base, way, "try_echo", tool)
    assert is_error and "没有名为" in text


async def post(base: str, body: dict[str, Any], *headers: tuple[str, str]) -> httpx2.Response:
    sent = [("Accept", "application/json, text/event-stream"), ("X-Dyber-Scope", "all"), *headers]
    async with httpx2.AsyncClient(timeout=20) as http:
        return await http.post(f"{base}/mcp", json=body, headers=sent)


def modern(name: str, **params: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return the body and the headers of a call of the newest version."""
    headers = [("MCP-Protocol-Version", MODERN), ("Mcp-Method", "tools/call"), ("Mcp-Name", name)]
    return request(1, "tools/call", **{"name": name, "_meta": META, **params}), headers


@pytest.mark.parametrize("second", ["try_echo", "try_drop"])
async def test_a_header_that_is_there_twice_is_an_unknown_tool(base, second):
    body, headers = modern("try_echo", arguments={"text": "a"})
    twice = [("X-Dyber-Tool", "try_echo"), ("X-Dyber-Tool", second)]
    for sent in (headers, []):
        answer = await post(base, body, *sent, *twice)
        assert "没有名为" in answer.text, answer.text


@pytest.mark.parametrize(("region", "status"), [("x", 200), ("y", 400), (None, 400)])
async def test_arguments_that_headers_repeat_are_those_of_the_tool_in_the_header(base, region, status):
    body, headers = modern("say", arguments={"text": "a", "region": "x"})
    headers += [("Mcp-Param-Region", region)] if region else []
    assert (await post(base, body, *headers, ("X-Dyber-Tool", "try_echo"))).status_code == status


async def test_the_name_in_the_headers_of_the_protocol_is_still_that_in_the_body(base):
    body, headers = modern("say", arguments={"text": "a"})
    for name in ("try_echo", "speak"):
        answer = await post(base, body, *headers[:2], ("Mcp-Name", name), ("X-Dyber-Tool", "try_echo"))
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020)


async def test_metrics_count_the_tool_in_the_header(base):
    await called(base, WAYS[0], "say_it_loud", "try_echo")
    async with httpx2.AsyncClient() as http:
        metrics = (await http.get(f"{base}/metrics")).text
    assert 'tool="try_echo"' in metrics and "say_it_loud" not in metrics


async def test_a_message_of_a_session_is_a_call_of_the_tool_in_its_header(base):
    client = {"name": "tester", "version": "1"}
    begun = request(1, "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo=client)
    opened = await post(base, begun)
    session = [("Mcp-Session-Id", opened.headers["mcp-session-id"]), ("MCP-Protocol-Version", "2025-11-25")]
    call = request(2, "tools/call", name="say", arguments={"text": "a"})
    assert "echo a" in (await post(base, call, *session, ("X-Dyber-Tool", "try_echo"))).text
    assert "没有名为" in (await post(base, call, *session)).text


async def answer_hello(context: Any, params: Any) -> ElicitResult:
    return ElicitResult(action="accept", content={"text": "hello"})


async def test_a_renamed_tool_can_ask_and_its_question_is_answered_under_the_name_that_the_client_sees(base):
    headers = {"X-Dyber-Scope": "all", "X-Dyber-Tool": "try_ask"}
    connection = streamable_http_client(f"{base}/mcp", http_client=httpx2.AsyncClient(headers=headers))
    async with Client(connection, elicitation_callback=answer_hello) as client:
        answer = await client.call_tool("inquire", {})
    assert answer.structured_content == {"text": "asked hello"}


async def test_the_state_of_a_question_belongs_to_the_tool_and_not_to_the_name_that_a_client_sees(base):
    meta = {**META, "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}}}
    body, headers = modern("inquire", arguments={}, _meta=meta)
    asked = (await post(base, body, *headers, ("X-Dyber-Tool", "try_ask"))).json()["result"]
    answers = {key: {"action": "accept", "content": {"text": "hi"}} for key in asked["inputRequests"]}
    given = {"_meta": meta, "arguments": {}, "inputResponses": answers, "requestState": asked["requestState"]}
    body, _ = modern("inquire", **given)
    assert "error" in (await post(base, body, *headers, ("X-Dyber-Tool", "try_ask_again"))).json()
    body, headers = modern("try_ask", **given)
    assert "asked hi" in (await post(base, body, *headers)).text


@pytest.mark.parametrize("way", WAYS)
async def test_a_list_has_the_names_that_the_service_knows(base, way):
    async with asking(base, *way, "all", **{"X-Dyber-Tool": "try_drop"}) as ask:
        tools = (await ask(request(1, "tools/list")))["result"]["tools"]
    assert [tool["name"] for tool in tools] == ["try_echo", "try_drop", "try_ask", "try_ask_again"]
