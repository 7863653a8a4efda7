"""MCP clients and old REST callers through the gateway, with right, wrong and no token."""

from __future__ import annotations

import httpx2
import pytest

from tests.deploy.checkout import BASE, OFFSET, Checkout, mcp_client

TRANSPORTS = ["http", "sse"]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_client_lists_and_calls_templates_tools(deployed: Checkout, transport: str) -> None:
    async with mcp_client("template", transport, deployed.token) as client:
        assert "template_echo" in [tool.name for tool in (await client.list_tools()).tools]
        result = await client.call_tool("template_echo", {"text": "你好"})
        assert not result.is_error
        assert "你好" in result.content[0].text


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_client_searches_and_reads_notes_through_the_real_browser(deployed: Checkout, transport: str) -> None:
    async with mcp_client("xiaohongshu", transport, deployed.token) as client:
        found = await client.call_tool("xhs_search_notes", {"keyword": "咖啡", "limit": 3})
        assert not found.is_error, found.content
        notes = found.structured_content["items"]
        assert len(notes) == 3
        note = await client.call_tool("xhs_get_note", {"note": notes[0]["note_ref"], "comments": 2})
        assert not note.is_error, note.content
        assert note.structured_content["note_ref"] == notes[0]["note_ref"]
        assert note.structured_content["content"]
        assert len(note.structured_content["comments"]) == 2


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("token", ["0" * 64, "", None])
async def test_without_the_right_token_there_is_no_client(
    deployed: Checkout, transport: str, token: str | None
) -> None:
    with pytest.raises(BaseException):  # noqa: B017 - an exception group whose shape is the SDK's own
        async with mcp_client("template", transport, token) as client:
            await client.list_tools()


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer " + "0" * 64}, {"Authorization": "Basic eDp5"}])
def test_a_refusal_is_json_with_a_code(deployed: Checkout, headers: dict[str, str]) -> None:
    answer = httpx2.post(f"{BASE}/api/template/mcp", json={}, headers=headers)
    assert answer.status_code == 401
    assert answer.json()["code"] == "unauthorized"
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_an_old_rest_caller_gets_the_old_body(deployed: Checkout) -> None:
    headers = {"Authorization": f"Bearer {deployed.token}"}
    answer = httpx2.post(
        f"{BASE}/api/xiaohongshu/search", json={"keyword": "咖啡", "limit": 2}, headers=headers, timeout=60
    )
    body = answer.json()
    assert (answer.status_code, body["status"], body["action"], body["count"]) == (200, "success", "search_notes", 2)
    assert set(body["data"][0]) >= {"title", "url", "author", "likes", "description"}


def test_the_old_direct_port_still_answers_and_asks_for_the_token_too(deployed: Checkout) -> None:
    url = f"http://127.0.0.1:{8002 + OFFSET}/test"
    assert httpx2.post(url, json={"message": "x"}).status_code == 401
    headers = {"Authorization": f"Bearer {deployed.token}"}
    assert httpx2.post(url, json={"message": "x"}, headers=headers).json()["action"] == "test_function"


def test_an_unknown_service_is_404_json_that_names_the_known_ones(deployed: Checkout) -> None:
    answer = httpx2.get(f"{BASE}/api/weibo/mcp", headers={"Authorization": f"Bearer {deployed.token}"})
    assert answer.status_code == 404
    assert "/api/template" in answer.json()["services"]


@pytest.mark.parametrize(("options", "name"), [((), "dyber"), (("--per-service",), "template")])
async def test_the_printed_configuration_of_a_client_works_as_it_is(
    deployed: Checkout, options: tuple[str, ...], name: str
) -> None:
    import json

    printed = deployed.deploy_sh("clients", "qwen-agent", "--with-token", *options).stdout
    server = json.loads(printed)["mcpServers"][name]
    from mcp import Client
    from mcp.client.sse import sse_client

    async with Client(sse_client(server["url"], headers=server["headers"]), mode="legacy") as client:
        assert "template_echo" in [tool.name for tool in (await client.list_tools()).tools]
        assert "你好" in (await client.call_tool("template_echo", {"text": "你好"})).content[0].text


async def test_a_missing_site_is_a_code_and_a_next_step_never_invented_data(deployed: Checkout) -> None:
    deployed.remove_stand_in()
    try:
        async with mcp_client("xiaohongshu", "http", deployed.token) as client:
            result = await client.call_tool("xhs_search_notes", {"keyword": "咖啡"})
        assert result.is_error
        assert "UPSTREAM_UNREACHABLE" in result.content[0].text
        assert "下一步" in result.content[0].text
    finally:
        deployed.start_stand_in()
