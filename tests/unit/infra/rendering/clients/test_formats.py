"""Client configurations have the exact form that each client reads."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest

from infra.rendering.clients import formats
from infra.rendering.clients.formats import FILES, FORMATS, TITLES

SERVICES = {
    "template": {
        "title": "模板",
        "mcp": "http://127.0.0.1/api/template/mcp",
        "sse": "http://127.0.0.1/api/template/mcp/sse",
        "max_call_seconds": 370,
    },
}
TWO_SERVICES = {**SERVICES, "other": {**SERVICES["template"], "max_call_seconds": 60}}
TOKEN = "0f" * 32
DEADLINE = 400
#: n8n keeps tokens in credentials, so its configuration has none.
WITH_TOKEN = sorted(set(FORMATS) - {"n8n"})


def render(format: str, services: dict[str, Any], token: str | None) -> dict[str, Any]:
    """Return a configuration as the client parses it."""
    text = formats.render(format, services, token)
    return tomllib.loads(text) if format == "codex" else json.loads(text)


@pytest.mark.parametrize("format", FORMATS)
def test_a_configuration_without_a_token_contains_none(format: str) -> None:
    assert TOKEN not in formats.render(format, SERVICES, None)


@pytest.mark.parametrize("format", WITH_TOKEN)
def test_a_configuration_contains_the_token_only_when_it_is_given(format: str) -> None:
    assert TOKEN in formats.render(format, SERVICES, TOKEN)
    assert TOKEN not in formats.render(format, SERVICES, None)


def test_every_format_says_where_it_goes() -> None:
    assert FILES.keys() == TITLES.keys() == FORMATS.keys()


def test_claude_code_gets_the_type_it_asks_for_and_a_variable() -> None:
    entry = render("claude-code", SERVICES, None)["mcpServers"]["template"]
    assert entry == {
        "type": "http",
        "url": "http://127.0.0.1/api/template/mcp",
        "headers": {"Authorization": "Bearer ${DYBER_TOKEN}"},
        "timeout": DEADLINE * 1000,
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
        "tool_timeout_sec": DEADLINE,
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
        "template_mcp": {"enabled": True, "url": SERVICES["template"]["sse"], "api_key": TOKEN, "timeout": DEADLINE}
    }


def test_every_program_with_a_timeout_setting_waits_longer_than_the_longest_call() -> None:
    timeouts = {
        "claude-code": render("claude-code", SERVICES, None)["mcpServers"]["template"]["timeout"],
        "gemini": render("gemini", SERVICES, None)["mcpServers"]["template"]["timeout"],
        "n8n": render("n8n", SERVICES, None)["nodes"][0]["parameters"]["options"]["timeout"],
        "codex": render("codex", SERVICES, None)["mcp_servers"]["template"]["tool_timeout_sec"] * 1000,
        "qwen-agent": render("qwen-agent", SERVICES, None)["mcpServers"]["template"]["sse_read_timeout"] * 1000,
        "dyberpet": render("dyberpet", SERVICES, None)["template_mcp"]["timeout"] * 1000,
        "cline": render("cline", SERVICES, None)["mcpServers"]["template"]["timeout"] * 1000,
        "cherry-studio": render("cherry-studio", SERVICES, None)["mcpServers"]["template"]["timeout"] * 1000,
        "dify": render("dify", SERVICES, None)[0]["configuration"]["timeout"] * 1000,
    }
    assert timeouts == dict.fromkeys(timeouts, DEADLINE * 1000)
    with_note = {format for format in FORMATS if formats.note(format, SERVICES)}
    # For all others a note says where the timeout is set, or that it cannot be set.
    assert set(FORMATS) - timeouts.keys() == with_note - {"n8n"}
    assert str(DEADLINE * 1000) in formats.note("lobechat", TWO_SERVICES)


def test_a_stack_that_does_not_say_how_long_calls_take_gets_long_deadlines() -> None:
    before = {"template": {key: SERVICES["template"][key] for key in ("mcp", "sse")}}
    for format in FORMATS:
        formats.render(format, before, None)
    assert render("codex", before, None)["mcp_servers"]["template"]["tool_timeout_sec"] == 330


def test_cline_gets_a_type_as_it_would_else_use_the_legacy_transport() -> None:
    entry = render("cline", SERVICES, TOKEN)["mcpServers"]["template"]
    assert entry == {
        "type": "streamableHttp",
        "url": SERVICES["template"]["mcp"],
        "headers": {"Authorization": f"Bearer {TOKEN}"},
        "timeout": DEADLINE,
        "disabled": False,
    }


def test_cherry_studio_gets_only_keys_that_its_import_knows() -> None:
    entry = render("cherry-studio", SERVICES, None)["mcpServers"]["template"]
    assert entry == {
        "name": "模板",
        "type": "streamableHttp",
        "url": SERVICES["template"]["mcp"],
        "headers": {"Authorization": "Bearer <TOKEN>"},
        "timeout": DEADLINE,
        "isActive": True,
    }


def test_dify_gets_the_fields_of_its_form() -> None:
    assert render("dify", SERVICES, TOKEN) == [
        {
            "name": "模板",
            "server_url": SERVICES["template"]["mcp"],
            "server_identifier": "template",
            "headers": {"Authorization": f"Bearer {TOKEN}"},
            "configuration": {"timeout": DEADLINE, "sse_read_timeout": DEADLINE},
        }
    ]


def test_n8n_gets_nodes_to_paste_which_hold_no_token() -> None:
    pasted = render("n8n", TWO_SERVICES, TOKEN)
    assert [node["name"] for node in pasted["nodes"]] == ["template", "other"]
    assert pasted["connections"] == {}
    node = pasted["nodes"][0]
    assert (node["type"], node["typeVersion"]) == ("@n8n/n8n-nodes-langchain.mcpClientTool", 1.1)
    assert node["parameters"] == {
        "endpointUrl": SERVICES["template"]["mcp"],
        "serverTransport": "httpStreamable",
        "authentication": "bearerAuth",
        "options": {"timeout": DEADLINE * 1000},
    }
    assert TOKEN not in json.dumps(pasted)


def test_lobechat_gets_one_document_per_service_as_it_imports_one_at_a_time() -> None:
    documents = [json.loads(text) for text in formats.render("lobechat", TWO_SERVICES, TOKEN).split("\n\n")]
    assert [list(document["mcpServers"]) for document in documents] == [["template"], ["other"]]
    assert documents[0]["mcpServers"]["template"] == {
        "type": "http",
        "url": SERVICES["template"]["mcp"],
        "headers": {"Authorization": f"Bearer {TOKEN}"},
    }


def test_the_bridge_may_use_plain_http_only_for_a_plain_http_address() -> None:
    assert "--allow-http" in render("claude-desktop", SERVICES, None)["mcpServers"]["template"]["args"]
    secure = {"template": {**SERVICES["template"], "mcp": "https://pet.example/api/template/mcp"}}
    assert "--allow-http" not in render("claude-desktop", secure, None)["mcpServers"]["template"]["args"]


@pytest.mark.parametrize("token", [None, TOKEN], ids=["variable", "token"])
@pytest.mark.parametrize("format", FORMATS)
def test_a_configuration_asks_for_a_language_only_when_one_is_chosen(format: str, token: str | None) -> None:
    assert "Accept-Language" not in formats.render(format, SERVICES, token)
    in_english = formats.render(format, SERVICES, token, "en")
    assert ("Accept-Language" in in_english) is (format not in formats.WITHOUT_LANGUAGE)


def test_the_language_is_a_header_beside_the_token() -> None:
    text = formats.render("claude-code", SERVICES, None, "en")
    headers = json.loads(text)["mcpServers"]["template"]["headers"]
    assert headers == {"Authorization": "Bearer ${DYBER_TOKEN}", "Accept-Language": "en"}
    for token in (None, TOKEN):
        codex = tomllib.loads(formats.render("codex", SERVICES, token, "en"))["mcp_servers"]["template"]
        assert codex["http_headers"]["Accept-Language"] == "en"
        assert ("Authorization" in codex["http_headers"]) is (token is not None)
    desktop = json.loads(formats.render("claude-desktop", SERVICES, None, "en"))["mcpServers"]["template"]
    assert desktop["args"][-2:] == ["--header", "Accept-Language:en"]
