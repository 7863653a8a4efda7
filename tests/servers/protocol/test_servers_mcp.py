"""Tests of MCP over both transports and both protocol eras."""

from __future__ import annotations

import httpx2
import pytest
from dyber_kit import Settings
from dyber_kit.serving.server import build_server
from template_server.service import build_app as build_template

from tests.stand_in.running import free_port, running


def call(tool, arguments):
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


async def post(base, message):
    async with httpx2.AsyncClient() as http:
        return await http.post(f"{base}/mcp", json=message, headers={"accept": "application/json"})


async def test_a_client_lists_the_tools_in_their_declared_order(template, connect):
    async with connect(template) as client:
        listed = await client.list_tools()
    assert [tool.name for tool in listed.tools] == [
        "template_echo",
        "template_countdown",
        "template_search",
        "template_get",
    ]


async def test_a_call_returns_structured_data_and_the_same_as_compact_text(template, connect):
    async with connect(template) as client:
        result = await client.call_tool("template_echo", {"text": "你好"})
    assert result.structured_content == {"text": "你好", "length": 2}
    assert [block.text for block in result.content] == ['{"text":"你好","length":2}']


async def test_progress_reaches_the_client_step_by_step(template, connect):
    seen: list[tuple[float, float | None, str | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, total, message))

    async with connect(template) as client:
        await client.call_tool("template_countdown", {"steps": 2, "interval_ms": 20}, progress_callback=note)
    assert seen == [(1, 2, "还剩 1 步"), (2, 2, "还剩 0 步")]


async def test_additional_arguments_of_a_client_are_ignored_without_a_warning(template, connect):
    async with connect(template) as client:
        added = {"text": "你好", "toolCallId": "call_1", "sessionId": "s", "action": "sendMessage"}
        result = await client.call_tool("template_echo", added)
    assert result.structured_content == {"text": "你好", "length": 2}
    assert len(result.content) == 1


async def test_the_answer_has_a_warning_about_a_misspelled_argument(template, connect):
    async with connect(template) as client:
        result = await client.call_tool("template_countdown", {"steps": 1, "Interval-MS": 5})
    assert result.structured_content["steps"] == 1
    assert "interval_ms？" in result.content[1].text
    assert result.meta["dyber/warnings"] == ["没有名为 Interval-MS 的参数，已忽略；是否想用 interval_ms？"]


async def test_the_error_for_a_missing_argument_names_a_similar_name_that_was_sent(template, connect):
    async with connect(template) as client:
        result = await client.call_tool("template_echo", {"txet": "b"})
    assert result.is_error
    assert "缺少参数 text（给了 txet，是否想用 text？）" in result.content[0].text


async def test_an_unknown_tool_is_answered_with_its_code_and_the_nearest_name(template, connect):
    async with connect(template) as client:
        result = await client.call_tool("template_serch", {})
    assert result.is_error
    assert result.content[0].text.startswith("INVALID_ARGUMENT：没有名为 template_serch 的工具")
    assert "最接近的是 template_search" in result.content[0].text


@pytest.mark.parametrize("arguments", ['{"text": "x"}', {"text": "x"}])
async def test_arguments_as_json_text_are_read(template, arguments):
    answer = await post(template, call("template_echo", arguments))
    assert answer.json()["result"]["structuredContent"]["text"] == "x"


@pytest.mark.parametrize("arguments", [["x"], "x", 5, True, "[1]"])
async def test_the_error_for_arguments_that_are_not_an_object_has_an_example(template, arguments):
    result = (await post(template, call("template_echo", arguments))).json()["result"]
    assert result["isError"]
    assert 'arguments：应为 JSON 对象，例如 {"text": "…"}' in result["content"][0]["text"]


async def test_null_in_place_of_the_arguments_means_no_arguments(template):
    result = (await post(template, call("template_countdown", None))).json()["result"]
    assert result["structuredContent"]["steps"] == 3


async def test_a_missing_argument_is_named(template, connect):
    async with connect(template) as client:
        result = await client.call_tool("template_echo", {})
    assert result.is_error
    assert "缺少参数 text" in result.content[0].text


async def test_the_error_does_not_repeat_a_refused_value(template, connect):
    async with connect(template) as client:
        result = await client.call_tool("template_countdown", {"steps": "SECRET-VALUE"})
    assert result.is_error
    assert "steps：" in result.content[0].text
    assert "SECRET-VALUE" not in result.content[0].text


async def test_a_bare_tools_list_works_without_a_handshake(template):
    async with httpx2.AsyncClient() as http:
        answer = await http.post(
            f"{template}/mcp",
            json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
            headers={"accept": "application/json, text/event-stream"},
        )
    assert answer.status_code == 200
    assert "template_echo" in answer.text


async def test_mcp_answers_with_and_without_a_trailing_slash_and_never_redirects(template):
    async with httpx2.AsyncClient(follow_redirects=False) as http:
        for path in ("/mcp", "/mcp/"):
            answer = await http.post(
                f"{template}{path}",
                json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
                headers={"accept": "application/json, text/event-stream"},
            )
            assert answer.status_code == 200, path


async def test_get_on_mcp_is_refused_so_that_no_idle_stream_is_held(template):
    async with httpx2.AsyncClient() as http:
        answer = await http.get(f"{template}/mcp", headers={"accept": "text/event-stream"})
    assert answer.status_code == 405


async def test_the_sse_endpoint_carries_the_gateways_prefix(template):
    async with httpx2.AsyncClient() as http:
        async with http.stream("GET", f"{template}/mcp/sse", headers={"X-Forwarded-Prefix": "/api/template"}) as stream:
            lines = stream.aiter_lines()
            first = [await anext(lines), await anext(lines)]
    assert first[0] == "event: endpoint"
    assert first[1].startswith("data: /api/template/mcp/messages/?session_id=")


async def test_a_malformed_prefix_is_ignored(template):
    for prefix in ("//evil.example", "/api/../x", "/api/<b>", "https://evil.example", "/a/b/c/d/e"):
        async with httpx2.AsyncClient() as http:
            async with http.stream("GET", f"{template}/mcp/sse", headers={"X-Forwarded-Prefix": prefix}) as stream:
                lines = stream.aiter_lines()
                await anext(lines)
                assert (await anext(lines)).startswith("data: /mcp/messages/?"), prefix


LIST_TOOLS = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


async def listed(base: str, **headers: str) -> int:
    """Return the status of the answer to a request for the list of tools."""
    async with httpx2.AsyncClient(headers={"accept": "application/json, text/event-stream", **headers}) as http:
        return (await http.post(f"{base}/mcp", json=LIST_TOOLS)).status_code


async def test_a_server_for_this_machine_refuses_names_of_other_hosts(template):
    assert await listed(template) == 200
    assert await listed(template, host="pets.example") == 421
    assert await listed(template, origin="https://pets.example") == 403
    assert await listed(template, origin="null") == 403


async def test_a_server_for_this_machine_accepts_every_name_of_this_machine(template):
    port = template.rpartition(":")[2]
    for host in (f"localhost:{port}", "localhost", "127.0.0.1", f"[::1]:{port}"):
        assert await listed(template, host=host, origin=f"http://{host}") == 200, host


@pytest.mark.parametrize(
    "settings", [{"host": "0.0.0.0"}, {"allowed_hosts": ("*",)}, {"allowed_hosts": ("pets.example",)}]
)
async def test_a_server_behind_a_gateway_leaves_the_check_of_hosts_to_it(settings):
    app = build_template(Settings(port=free_port(), **settings))
    with running(build_server(app)) as base:
        assert await listed(base, host="pets.example", origin="https://pets.example") == 200
