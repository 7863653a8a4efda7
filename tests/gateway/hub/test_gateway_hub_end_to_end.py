"""Tests the hub's addresses with the real gateway, the real hub and real services."""

from __future__ import annotations

import json
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from infra.rendering.gateway.model import GatewayService
from tests.gateway.support.whole_stack import WholeStack, authorization
from tests.servers.hub.asking import WAYS, answer_in, asking, message, modern_headers, post
from tests.servers.protocol.test_servers_legacy_sse import INITIALIZE
from tests.servers.protocol.test_servers_legacy_sse import session as legacy_session
from tests.stand_in.hub import services as hub_services

HEADER_MISMATCH, INVALID_PARAMS = -32020, -32602
LARGE = 2**53 + 1
ARGUMENTS: dict[str, dict[str, Any]] = {
    "alpha_echo": {"text": "a"},
    "alpha_number": {"number": 1},
    "alpha_write": {"text": "a"},
    "alpha_wait": {"name": "a"},
    "beta_echo": {"text": "a"},
    "beta_clear": {},
    "gamma_echo": {"text": "a"},
    "say": {"text": "a"},
    "keep": {"text": "a"},
    "no_such_tool": {},
}

#: What the log says of two calls that are answered alike.
ALIKE = ("service", "tool", "via", "status", "error", "upstream", "upstream_status", "bytes_out", "breaker")


@pytest.fixture(autouse=True)
def nothing_written() -> None:
    hub_services.written.clear()


async def call(
    stack: WholeStack,
    name: str,
    *,
    client: str = "everything",
    modern: bool = True,
    path: str = "",
    headers: dict[str, str] | None = None,
    **arguments: Any,
) -> httpx2.Response:
    sent = message("tools/call", modern=modern, name=name, arguments=arguments)
    sent_headers = {**authorization(client), **(headers or {})}
    return await post(stack.base, sent, modern=modern, path=path, headers=sent_headers)


@pytest.mark.parametrize("mode", ["auto", "legacy", "2026-07-28"])
@pytest.mark.parametrize("path", ["/mcp", "/groups/pet/mcp"])
async def test_4_the_sdks_client_connects_lists_and_calls(stack: WholeStack, mode: str, path: str) -> None:
    name = "say" if "groups" in path else "alpha_echo"
    async with (
        httpx2.AsyncClient(headers=authorization("everything"), timeout=30) as http,
        Client(streamable_http_client(f"{stack.base}{path}", http_client=http), mode=mode) as client,
    ):
        listed = await client.list_tools()
        assert name in {tool.name for tool in listed.tools}
        result = await client.call_tool(name, {"text": "你好"})
        assert not result.is_error
        assert result.structured_content == {"text": "你好"}


@pytest.mark.parametrize("modern", [True, False])
async def test_15_a_call_of_a_known_tool_does_not_reach_the_hub(stack: WholeStack, modern: bool) -> None:
    request_id = f"hub-straight-{modern}"
    response = await call(stack, "alpha_echo", modern=modern, headers={"X-Request-Id": request_id}, text="a")
    assert response.status_code == 200
    stack.gateway.logged(request_id)
    entries = [entry for entry in stack.gateway.logs()[0] if entry["request_id"] == request_id]
    assert [(entry["service"], entry["tool"]) for entry in entries] == [("alpha", "alpha_echo")]


@pytest.mark.parametrize("modern", [True, False])
async def test_16_large_calls_and_large_numbers_keep_their_values(stack: WholeStack, modern: bool) -> None:
    text = "字" * 300_000
    large = answer_in(await call(stack, "alpha_echo", modern=modern, text=text))
    small = answer_in(await call(stack, "alpha_number", modern=modern, number=LARGE))
    assert large["result"]["structuredContent"] == {"text": text}
    assert f'"text":"{LARGE}"' in json.dumps(small, separators=(",", ":"))


async def test_17_a_header_that_disagrees_with_the_body_is_refused(stack: WholeStack) -> None:
    for header, body in (("alpha_echo", "alpha_write"), ("alpha_write", "alpha_echo"), ("alpha_echo", "beta_echo")):
        response = await call(stack, body, headers={"Mcp-Name": header}, text="a")
        assert (response.status_code, response.json()["error"]["code"]) == (400, HEADER_MISMATCH)
    assert hub_services.written == []


async def raw(stack: WholeStack, sent: Any, headers: list[tuple[str, str]]) -> httpx2.Response:
    async with httpx2.AsyncClient(timeout=30) as http:
        always = [*authorization("everything").items(), ("Accept", "application/json")]
        return await http.post(f"{stack.base}/mcp", json=sent, headers=[*always, *headers])


async def test_18_a_name_that_comes_twice_is_refused(stack: WholeStack) -> None:
    sent = message("tools/call", name="alpha_write", arguments={"text": "a"})
    headers = [*modern_headers(sent).items(), ("Mcp-Name", "alpha_write")]
    response = await raw(stack, sent, headers)
    assert (response.status_code, response.json()["error"]["code"]) == (400, HEADER_MISMATCH)
    assert hub_services.written == []


async def test_18_a_name_in_base64_is_understood(stack: WholeStack) -> None:
    response = await call(stack, "alpha_echo", headers={"Mcp-Name": "=?base64?YWxwaGFfZWNobw==?="}, text="a")
    assert answer_in(response)["result"]["structuredContent"] == {"text": "a"}


async def test_18_a_name_in_another_case_is_unknown(stack: WholeStack) -> None:
    for modern in (True, False):
        answer = answer_in(await call(stack, "Alpha_Echo", modern=modern, text="a"))
        assert answer["error"]["code"] == INVALID_PARAMS


async def test_19_a_modern_call_without_its_method_is_refused(stack: WholeStack) -> None:
    sent = message("tools/call", name="alpha_write", arguments={"text": "a"})
    headers = [item for item in modern_headers(sent).items() if item[0] != "Mcp-Method"]
    response = await raw(stack, sent, headers)
    assert (response.status_code, response.json()["error"]["code"]) == (400, HEADER_MISMATCH)
    assert hub_services.written == []


@pytest.mark.parametrize("modern", [True, False])
async def test_20_denied_and_unknown_tools_get_the_same_bytes(stack: WholeStack, modern: bool) -> None:
    # The names resemble those that the caller may use equally much, so that the nearest are the same.
    names = ("alpha_write", "alpha_wrote", "alpha_writh")
    answers = [await call(stack, name, client="reader", modern=modern, text="a") for name in names]
    for answer in answers:
        assert answer.status_code == (400 if modern else 200)
        assert answer_in(answer)["error"]["code"] == INVALID_PARAMS
    assert len({answer.text.replace(name, "?") for answer, name in zip(answers, names, strict=True)}) == 1
    assert hub_services.written == []


@pytest.mark.parametrize("modern", [True, False])
async def test_20_denied_and_unknown_tools_go_the_same_way(stack: WholeStack, modern: bool) -> None:
    """No service is asked about either, and the gateway and the hub do the same for both."""
    ways = []
    for name in ("alpha_write", "alpha_wrote"):
        request_id = f"hub-alike-{name}-{modern}"
        headers = {"X-Request-Id": request_id}
        await call(stack, name, client="reader", modern=modern, headers=headers, text="a")
        stack.gateway.logged(request_id)
        entries = [entry for entry in stack.gateway.logs()[0] if entry["request_id"] == request_id]
        ways.append([{key: entry[key] for key in ALIKE} for entry in entries])
    assert [entry["service"] for entry in ways[0]] == ["hub"]
    assert ways[0] == ways[1]


@pytest.mark.parametrize("client", ["everything", "reader", "writer"])
@pytest.mark.parametrize("path", ["", "/groups/pet"])
@pytest.mark.parametrize(("era", "accept"), WAYS)
async def test_21_exactly_the_listed_tools_can_be_called(
    stack: WholeStack, client: str, path: str, era: str, accept: str
) -> None:
    async with asking(stack.base, era, accept, path=path, headers=authorization(client)) as ask:
        listed = {tool["name"] for tool in (await ask("tools/list"))["result"]["tools"]} - {"alpha_ask"}
        callable_tools = set()
        for number, (name, arguments) in enumerate(ARGUMENTS.items(), 10):
            answer = await ask("tools/call", number, name=name, arguments=arguments)
            if "result" in answer and not answer["result"].get("isError"):
                callable_tools.add(name)
    assert listed
    assert callable_tools == listed


async def test_22_a_client_cannot_say_who_it_is(stack: WholeStack) -> None:
    forged = {"X-Dyber-Scope": "all", "X-Dyber-Client": "everything", "X-Dyber-Tool": "alpha_write"}
    for path, name in (("", "alpha_echo"), ("/groups/pet", "say"), ("", "alpha_write")):
        for modern in (True, False):
            await call(stack, name, client="reader", modern=modern, path=path, headers=forged, text="forged")
    assert hub_services.written == []


async def test_24_another_clients_token_reaches_no_stream(stack: WholeStack) -> None:
    sent = message("tools/call", 5, modern=False, name="alpha_write", arguments={"text": "stolen"})
    async with legacy_session(stack.base, **authorization("writer")) as stream, httpx2.AsyncClient() as http:

        async def status(client: str, body: dict[str, Any]) -> int:
            url = f"{stack.base}{stream.endpoint}"
            return (await http.post(url, json=body, headers=authorization(client))).status_code

        assert await status("writer", INITIALIZE) == 202
        assert [await status(client, sent) for client in ("everything", "reader")] == [404, 404]
        assert await status("nobody", sent) == 404
    assert hub_services.written == []


async def test_25_a_smaller_scope_holds_for_open_streams(stack: WholeStack) -> None:
    headers = authorization("writer")
    try:
        async with asking(stack.base, "sse", "*/*", headers=headers) as ask:
            arguments = {"text": "kept"}
            assert "result" in await ask("tools/call", 5, name="alpha_write", arguments=arguments)
            await anyio.to_thread.run_sync(lambda: stack.configure({**stack.scopes, "writer": {"alpha": "read"}}))
            # A connection that was open before may bring one more call.
            await ask("tools/call", 6, name="alpha_echo", arguments=arguments)
            answer = await ask("tools/call", 7, name="alpha_write", arguments=arguments)
            assert answer["error"]["code"] == INVALID_PARAMS
            assert "result" in await ask("tools/call", 8, name="alpha_echo", arguments=arguments)
    finally:
        await anyio.to_thread.run_sync(stack.configure)
    assert hub_services.written == ["kept"]


async def test_26_a_batch_runs_nothing(stack: WholeStack) -> None:
    batch = [
        message("tools/call", number, modern=False, name=name, arguments={"text": "batch"})
        for number, name in enumerate(("alpha_echo", "alpha_write"), 1)
    ]
    for client in ("reader", "everything"):
        answer = await post(stack.base, batch, modern=False, headers=authorization(client))
        assert answer.status_code == 400
    assert hub_services.written == []


async def test_a_scope_as_long_as_it_may_be_reaches_the_hub(stack: WholeStack) -> None:
    others = tuple(GatewayService(f"other-{number}", 9500 + number, "", 20) for number in range(4))
    lists = {service.name: tuple(f"{number:x>97}" for number in range(58)) for service in others}
    scopes = {"wide": {"alpha": "read", **lists}}
    try:
        await anyio.to_thread.run_sync(lambda: stack.configure(scopes, others))
        sent = message("tools/list")
        answer = answer_in(await post(stack.base, sent, headers=authorization("wide")))
        assert "alpha_echo" in {tool["name"] for tool in answer["result"]["tools"]}
        assert answer_in(await call(stack, "alpha_echo", client="wide", text="a"))["result"]["structuredContent"]
    finally:
        await anyio.to_thread.run_sync(stack.configure)


@pytest.mark.parametrize("modern", [True, False])
async def test_39_a_renamed_tool_runs_under_its_name_in_the_group_only(stack: WholeStack, modern: bool) -> None:
    async def result(name: str, path: str, client: str = "everything") -> dict[str, Any]:
        return answer_in(await call(stack, name, modern=modern, path=path, client=client, text="kept"))

    assert (await result("keep", "/groups/pet"))["result"]["structuredContent"] == {"text": "kept"}
    assert hub_services.written == ["kept"]
    for name, path, client in (
        ("alpha_write", "/groups/pet", "everything"),
        ("keep", "", "everything"),
        ("keep", "/groups/pet", "reader"),
    ):
        assert (await result(name, path, client))["error"]["code"] == INVALID_PARAMS
    assert hub_services.written == ["kept"]
