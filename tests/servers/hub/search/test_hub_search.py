"""The search address with real services behind it: what clients of both eras see there, and what their calls do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from dyber_hub.search.declarations import ENTRIES
from dyber_kit.errors import ERROR_META
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ElicitResult

from tests.servers.hub.asking import (
    WAYS,
    answer_in,
    asking,
    headers_of,
    message,
    messages_in,
    modern_headers,
    post,
    until,
)
from tests.servers.hub.conftest import ONCE, Hub, serving_hub
from tests.stand_in.hub import services as hub_services

SEARCH = "/search"
NAMES = ["find_tools", "call_tool", "list_services"]
#: The tools that need no answer of a user, by scope.
ADMITTED = {
    "all": {"alpha_echo", "alpha_number", "alpha_write", "alpha_wait", "beta_echo", "beta_clear", "gamma_echo"},
    "alpha=read": {"alpha_echo", "alpha_number", "alpha_wait"},
    "alpha=tools:alpha_write,alpha_echo beta=read": {"alpha_write", "alpha_echo", "beta_echo"},
    "gamma=all beta=tools:beta_echo": {"gamma_echo", "beta_echo"},
}


@pytest.fixture(scope="module")
def _search_hub(_running_gateway) -> Iterator[Hub]:
    catalogue = replace(hub_services.catalogue(), search=True)
    with serving_hub(*_running_gateway, catalogue, ONCE) as hub:
        yield hub


@pytest.fixture
def hub(_search_hub: Hub, gateway) -> Hub:
    """Return a running hub with the search address, whose services have all answered."""
    return _search_hub


async def ask(hub: Hub, method: str, *, scope: str = "all", modern: bool = True, **params: Any) -> dict[str, Any]:
    sent = message(method, modern=modern, **params)
    return answer_in(await post(hub.base, sent, modern=modern, path=SEARCH, headers=headers_of(scope)))


async def call(hub: Hub, tool: str, arguments: Any, **more: Any) -> dict[str, Any]:
    return (await ask(hub, "tools/call", name=tool, arguments=arguments, **more))["result"]


def content(result: dict[str, Any]) -> dict[str, Any]:
    assert not result.get("isError"), result
    return json.loads(result["content"][0]["text"])


def sdk_client(hub: Hub, kind: str, **options: Any) -> Client:
    headers = headers_of("all")
    if kind == "sse":
        return Client(sse_client(f"{hub.base}{SEARCH}/mcp/sse", headers=headers), mode="legacy", **options)
    http = httpx2.AsyncClient(headers=headers, timeout=30)
    connection = streamable_http_client(f"{hub.base}{SEARCH}/mcp", http_client=http)
    return Client(connection, mode="legacy" if kind == "legacy" else "auto", **options)


@pytest.mark.parametrize("kind", ["modern", "legacy", "sse"])
async def test_clients_of_the_sdk_find_a_tool_and_call_it(hub, kind):
    async with sdk_client(hub, kind) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == NAMES
        found = await client.call_tool("find_tools", {"query": "回声 乙"})
        (first, *_) = json.loads(found.content[0].text)["tools"]
        assert first["name"] == "beta_echo" and first["inputSchema"]["required"] == ["text"]
        called = await client.call_tool("call_tool", {"name": first["name"], "arguments": {"text": "a"}})
        assert called.structured_content == {"text": "beta a"} and not called.is_error


@pytest.mark.parametrize("way", WAYS)
async def test_case_21_what_is_found_can_be_called_and_nothing_else(hub, way):
    arguments = {name: {"text": "a"} for name in ("alpha_echo", "alpha_write", "beta_echo", "gamma_echo")}
    arguments |= {"alpha_number": {"number": 1}, "alpha_wait": {"name": "a"}, "beta_clear": {}}
    for scope, admitted in ADMITTED.items():
        async with asking(hub.base, *way, scope, SEARCH) as ask_it:
            found, called = set(), set()
            for number, (name, given) in enumerate(arguments.items(), 2):
                search = {"name": "find_tools", "arguments": {"query": name, "limit": 20}}
                answer = (await ask_it("tools/call", 100 + number, **search))["result"]
                found |= {tool["name"] for tool in content(answer)["tools"]}
                nested = {"name": "call_tool", "arguments": {"name": name, "arguments": given}}
                answer = (await ask_it("tools/call", number, **nested))["result"]
                called |= set() if answer.get("isError") else {name}
        assert (found - {"alpha_ask"}, called) == (admitted, admitted), scope


@pytest.mark.parametrize("modern", [True, False])
async def test_case_49_a_hidden_tool_is_answered_as_one_that_does_not_exist(hub, gateway, modern):
    before = len(gateway.calls())
    for inner in ("alpha_write", "alpha_wrote"):
        result = await call(hub, "call_tool", {"name": inner, "arguments": {}}, scope="alpha=read", modern=modern)
        assert result["isError"] and f"没有名为 {inner} 的工具" in result["content"][0]["text"]
        assert result["content"][0]["text"].count("alpha_write") == (inner == "alpha_write")
    for name in ("alpha_write", "alpha_wrote", "alpha_echo"):
        error = (await ask(hub, "tools/call", name=name, arguments={}, scope="alpha=read", modern=modern))["error"]
        assert error["code"] == -32602 and name in error["message"] and "call_tool" in error["message"]
    assert len(gateway.calls()) == before and hub_services.written == []


@pytest.mark.parametrize("modern", [True, False])
async def test_a_tool_that_is_called_without_call_tool_is_answered_with_how_to_call_it(hub, modern):
    async def problem(name: str) -> str:
        answer = await ask(hub, "tools/call", name=name, arguments={}, scope="alpha=read", modern=modern)
        return str(answer["error"]["message"])

    assert await problem("alpha_echo") == "在这个地址，alpha_echo 要用 call_tool 调用"
    assert await problem("alpha_write") == (
        "没有名为 alpha_write 的工具；这个地址只有 find_tools、call_tool、list_services，别的工具用 find_tools 找"
    )


async def test_a_service_gets_the_call_as_if_its_tool_had_been_called_directly(hub, gateway):
    direct = message("tools/call", name="alpha_echo", arguments={"text": "a", "region": "x"})
    headers = headers_of("alpha=all", **{"Mcp-Param-Region": "x"})
    expected = answer_in(await post(hub.base, direct, headers=headers))["result"]
    sent = message(
        "tools/call", name="call_tool", arguments={"name": "alpha_echo", "arguments": direct["params"]["arguments"]}
    )
    misleading = headers_of("alpha=all", **{"Mcp-Param-Region": "y"})
    assert answer_in(await post(hub.base, sent, path=SEARCH, headers=misleading))["result"] == expected
    first, second = gateway.calls()[-2:]
    kept = ("mcp-name", "mcp-method", "mcp-param-region", "x-dyber-client", "x-dyber-scope", "mcp-protocol-version")
    assert {key: second.headers[key] for key in kept} == {key: first.headers[key] for key in kept}
    assert second.message["params"] == first.message["params"]


@pytest.mark.parametrize("modern", [True, False])
async def test_large_numbers_stay_exact(hub, modern):
    given = {"name": "alpha_number", "arguments": {"number": 9007199254740993}}
    assert (await call(hub, "call_tool", given, modern=modern))["structuredContent"]["number"] == 9007199254740993


async def test_progress_of_the_inner_call_reaches_its_client(hub):
    given = {"name": "alpha_wait", "arguments": {"name": "a", "steps": 3}}
    sent = message("tools/call", name="call_tool", arguments=given, _meta={"progressToken": "mine"})
    accept = "application/json, text/event-stream"
    *progress, last = messages_in(await post(hub.base, sent, path=SEARCH, accept=accept, headers=headers_of("all")))
    assert [note["params"] for note in progress] == [
        {"progressToken": "mine", "progress": step, "total": 3, "message": "a"} for step in (1, 2, 3)
    ]
    assert last["result"]["structuredContent"] == {"text": "a"}


async def test_a_client_that_leaves_cancels_the_inner_call(hub):
    given = {"name": "alpha_wait", "arguments": {"name": "left", "steps": 1, "stay": True}}
    sent = message("tools/call", name="call_tool", arguments=given, _meta={"progressToken": 1})
    headers = {"accept": "application/json, text/event-stream", **modern_headers(sent), **headers_of("all")}
    async with (
        httpx2.AsyncClient(timeout=30) as http,
        http.stream("POST", f"{hub.base}{SEARCH}/mcp", json=sent, headers=headers) as response,
    ):
        async for line in response.aiter_lines():
            if "notifications/progress" in line:
                break
    await until(lambda: hub_services.ended == ["left"])


async def answer_blue(context: Any, params: Any) -> ElicitResult:
    return ElicitResult(action="accept", content={"text": "blue"})


async def test_a_question_of_the_inner_tool_is_put_to_the_user(hub):
    async with sdk_client(hub, "modern", elicitation_callback=answer_blue) as client:
        answer = await client.call_tool("call_tool", {"name": "alpha_ask", "arguments": {}})
    assert answer.structured_content == {"text": "asked blue"}


async def test_the_state_of_a_question_passes_unchanged_and_only_from_its_client(hub, gateway):
    capable = {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}
    given: dict[str, Any] = {"name": "call_tool", "arguments": {"name": "alpha_ask", "arguments": {}}, "_meta": capable}

    async def ask_as(client: str, **more: Any) -> dict[str, Any]:
        sent = message("tools/call", **given, **more)
        return answer_in(await post(hub.base, sent, path=SEARCH, headers=headers_of("all", client)))

    asked = (await ask_as("phone"))["result"]
    answers = {key: {"action": "accept", "content": {"text": "red"}} for key in asked["inputRequests"]}
    retry = {"inputResponses": answers, "requestState": asked["requestState"]}
    assert (await ask_as("laptop", **retry))["error"]["code"] == -32602
    assert (await ask_as("phone", **retry))["result"]["structuredContent"] == {"text": "asked red"}
    assert gateway.calls()[-1].message["params"]["requestState"] == asked["requestState"]


@pytest.mark.parametrize("modern", [True, False])
async def test_a_client_that_cannot_be_asked_is_told_so(hub, modern):
    answer = await ask(hub, "tools/call", name="call_tool", arguments={"name": "alpha_ask"}, modern=modern)
    assert answer["error"]["code"] == -32021 if modern else answer["result"]["isError"]


@pytest.mark.parametrize("modern", [True, False])
async def test_a_service_that_is_down_is_named_in_the_answer(hub, gateway, modern):
    gateway.down.add("beta")
    result = await call(hub, "call_tool", {"name": "beta_echo", "arguments": {"text": "a"}}, modern=modern)
    assert result["isError"] and "beta" in result["content"][0]["text"]
    assert result["_meta"]["cn.dyberpet/error"]["service"] == "beta"


@pytest.mark.parametrize("modern", [True, False])
async def test_the_list_is_always_the_same(hub, modern):
    lists = []
    for scope in ("all", "beta=tools:beta_echo"):
        await call(hub, "find_tools", {"query": "echo"}, scope=scope, modern=modern)
        lists.append((await ask(hub, "tools/list", scope=scope, modern=modern))["result"])
    assert lists[0] == lists[1] and lists[0]["tools"] == list(ENTRIES)
    assert (lists[0].get("resultType"), lists[0].get("cacheScope")) == (
        ("complete", "private") if modern else (None, None)
    )
    assert (await ask(hub, "tools/list", cursor="x", modern=modern))["error"]["code"] == -32602


async def test_both_eras_get_the_same_answers(hub):
    for name, arguments in (
        ("find_tools", {"query": "回声"}),
        ("list_services", {}),
        ("call_tool", {"name": "nothing"}),
    ):
        modern, legacy = await call(hub, name, arguments), await call(hub, name, arguments, modern=False)
        assert modern.pop("resultType") == "complete"
        modern.get("_meta", {}).pop("io.modelcontextprotocol/serverInfo", None)
        assert modern == legacy


async def test_only_tools_are_offered(hub):
    discovered = (await ask(hub, "server/discover", scope="beta=all"))["result"]
    assert discovered["capabilities"] == {"tools": {"listChanged": False}}
    assert "find_tools" in discovered["instructions"] and "(beta)" in discovered["instructions"]
    assert "(alpha)" not in discovered["instructions"]
    for method in ("prompts/list", "resources/list", "resources/templates/list", "subscriptions/listen"):
        assert (await ask(hub, method, notifications={}))["error"]["code"] == -32601
    asked = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    initialized = (await ask(hub, "initialize", modern=False, **asked))["result"]
    assert initialized["capabilities"] == {"tools": {"listChanged": False}}
    assert len(initialized["instructions"]) <= 2048 and "find_tools" in initialized["instructions"]
    assert (await ask(hub, "ping", modern=False))["result"] == {}


@pytest.mark.parametrize("query", ["回声", "echo", "echo 乙", '"', "*", "", "回声" * 2500])
async def test_case_48_any_query_is_answered(hub, query):
    answer = await call(hub, "find_tools", {"query": query})
    assert len(answer["content"][0]["text"]) <= 24_000
    assert bool(content(answer)["tools"]) == (query not in ('"', "*", ""))


async def test_a_search_in_a_call_is_a_search(hub):
    nested = await call(hub, "call_tool", {"name": "find_tools", "arguments": {"query": "beta_clear", "limit": 1}})
    assert [tool["name"] for tool in content(nested)["tools"]] == ["beta_clear"]


@pytest.mark.parametrize("arguments", [None, {}, {"name": 5}, {"name": "alpha_echo", "arguments": [1]}, "text"])
@pytest.mark.parametrize("modern", [True, False])
async def test_arguments_that_name_no_call_are_answered_with_what_to_send(hub, arguments, modern):
    answer = await ask(hub, "tools/call", name="call_tool", arguments=arguments, modern=modern)
    if "error" in answer:
        assert answer["error"]["code"] == -32602
    else:
        assert answer["result"]["isError"] and "INVALID_ARGUMENT" in answer["result"]["content"][0]["text"]


async def test_metrics_name_the_inner_tool(hub):
    await call(hub, "call_tool", {"name": "beta_clear", "arguments": {}})
    await call(hub, "find_tools", {"query": "a"})
    async with httpx2.AsyncClient() as http:
        metrics = (await http.get(f"{hub.base}/metrics")).text
    assert 'tool="beta_clear"' in metrics and 'tool="find_tools"' in metrics and 'tool="call_tool"' not in metrics


async def test_services_are_listed_with_their_states(hub, gateway):
    services = content(await call(hub, "list_services", {}, scope="alpha=read gamma=all"))["services"]
    assert [(each["name"], each["tools"], each["state"]) for each in services] == [
        ("alpha", 4, "ok"),
        ("gamma", 1, "ok"),
    ]


async def test_a_client_without_anything_gets_the_answer_of_a_hub_without_search(hub, _running_gateway):
    sent = message("tools/list")
    nothing = await post(hub.base, sent, path=SEARCH, headers=headers_of("none"))
    with serving_hub(*_running_gateway, timings=ONCE) as without:
        off = await post(without.base, sent, path=SEARCH, headers=headers_of("all"))
    assert (nothing.status_code, nothing.content) == (off.status_code, off.content) == (404, off.content)


@pytest.mark.parametrize("modern", [True, False])
async def test_a_search_that_crashes_is_a_result_that_says_so(hub, monkeypatch, modern):
    def fail(*_: Any) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr("dyber_hub.search.index.SearchIndex.find", fail)
    result = await call(hub, "find_tools", {"query": "echo"}, modern=modern)
    assert result["isError"] is True
    assert result["_meta"][ERROR_META]["code"] == "INTERNAL"
    assert "unforeseen" not in json.dumps(result)


async def test_the_server_has_the_name_of_the_address(hub):
    discovered = (await ask(hub, "server/discover"))["result"]
    listed = (await ask(hub, "tools/list"))["result"]
    for result in (discovered, listed):
        assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "dyber-search"
    async with sdk_client(hub, "legacy") as client:
        assert client.server_info.name == "dyber-search"
