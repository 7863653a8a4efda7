"""Client configurations in the exact form each client reads."""

from __future__ import annotations

import json

import pytest

from cli.clients import FORMATS, render

SERVICES = {
    "template": {"mcp": "http://127.0.0.1/api/template/mcp", "sse": "http://127.0.0.1/api/template/mcp/sse"},
}
TOKEN = "0f" * 32


@pytest.mark.parametrize("format", FORMATS)
def test_the_token_is_there_only_when_given(format: str) -> None:
    assert TOKEN in json.dumps(render(format, SERVICES, TOKEN))
    assert TOKEN not in json.dumps(render(format, SERVICES, None))


def test_claude_code_gets_the_type_it_asks_for_and_a_variable() -> None:
    entry = render("claude-code", SERVICES, None)["mcpServers"]["template"]
    assert entry == {
        "type": "http",
        "url": "http://127.0.0.1/api/template/mcp",
        "headers": {"Authorization": "Bearer ${DYBER_TOKEN}"},
    }


def test_cursor_gets_its_own_way_of_naming_a_variable() -> None:
    headers = render("cursor", SERVICES, None)["mcpServers"]["template"]["headers"]
    assert headers == {"Authorization": "Bearer ${env:DYBER_TOKEN}"}


def test_vs_code_asks_for_the_token_unless_it_is_written() -> None:
    asking = render("vscode", SERVICES, None)
    assert asking["servers"]["template"]["headers"] == {"Authorization": "Bearer ${input:dyber-token}"}
    assert asking["inputs"][0]["id"] == "dyber-token"
    assert "inputs" not in render("vscode", SERVICES, TOKEN)


def test_qwen_agent_gets_the_legacy_transport_which_sends_headers() -> None:
    entry = render("qwen-agent", SERVICES, TOKEN)["mcpServers"]["template"]
    assert entry["url"].endswith("/mcp/sse")
    assert entry["headers"] == {"Authorization": f"Bearer {TOKEN}"}
    assert "type" not in entry
