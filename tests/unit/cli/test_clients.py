"""Client configurations in the exact form each client reads."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest

from cli import clients
from cli.clients import FILES, FORMATS

SERVICES = {
    "template": {"mcp": "http://127.0.0.1/api/template/mcp", "sse": "http://127.0.0.1/api/template/mcp/sse"},
}
TOKEN = "0f" * 32


def render(format: str, services: dict[str, Any], token: str | None) -> dict[str, Any]:
    """What a client makes of the text."""
    text = clients.render(format, services, token)
    return tomllib.loads(text) if format == "codex" else json.loads(text)


@pytest.mark.parametrize("format", FORMATS)
def test_the_token_is_there_only_when_given(format: str) -> None:
    assert TOKEN in clients.render(format, SERVICES, TOKEN)
    assert TOKEN not in clients.render(format, SERVICES, None)


def test_every_format_says_where_it_goes() -> None:
    assert FILES.keys() == FORMATS.keys()


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


def test_codex_gets_toml_with_the_name_of_the_variable_or_the_header() -> None:
    assert render("codex", SERVICES, None)["mcp_servers"]["template"] == {
        "url": "http://127.0.0.1/api/template/mcp",
        "bearer_token_env_var": "DYBER_TOKEN",
    }
    assert render("codex", SERVICES, TOKEN)["mcp_servers"]["template"]["http_headers"] == {
        "Authorization": f"Bearer {TOKEN}"
    }


def test_gemini_gets_the_key_that_means_streamable_http() -> None:
    entry = render("gemini", SERVICES, None)["mcpServers"]["template"]
    assert entry["httpUrl"].endswith("/api/template/mcp")
    assert entry["headers"] == {"Authorization": "Bearer ${DYBER_TOKEN}"}
    assert "url" not in entry


def test_claude_desktop_gets_a_bridge_whose_arguments_have_no_space() -> None:
    entry = render("claude-desktop", SERVICES, TOKEN)["mcpServers"]["template"]
    assert entry["command"] == "npx"
    assert not [argument for argument in entry["args"] if " " in argument]
    assert entry["env"] == {"DYBER_AUTHORIZATION": f"Bearer {TOKEN}"}


def test_dyberpet_gets_the_block_of_its_own_configuration() -> None:
    assert render("dyberpet", SERVICES, TOKEN) == {
        "template_mcp": {"enabled": True, "url": SERVICES["template"]["sse"], "api_key": TOKEN, "timeout": 30}
    }
