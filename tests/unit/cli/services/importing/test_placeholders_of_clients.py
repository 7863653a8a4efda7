"""A client's placeholders are replaced as that client does it, and everything else is text."""

from __future__ import annotations

from typing import Any

import pytest

from cli.services.importing.clients import dialects
from cli.services.importing.clients.entries import Importer

SECRET = "0123456789abcdef-very-secret"


def server(fields: dict[str, Any], **importer: Any) -> Any:
    """Return the request for a server in the file of a client that is not known."""
    [entry] = dialects.entries({"mcpServers": {"weather": fields}})
    made = Importer(**importer).convert(entry)
    assert made.refusal is None, str(made.refusal)
    return made.request


def with_place(place: str, file: str, key: str = "mcpServers", **importer: Any) -> Any:
    """Return the request for a server with this value of PLACE, in the file of a client."""
    servers = {"weather": {"command": "npx", "args": ["x"], "env": {"PLACE": place}}}
    [entry] = dialects.entries({key: servers}, client=dialects.client_of_file(file))
    made = Importer(**importer).convert(entry)
    assert made.refusal is None, str(made.refusal)
    return made.request


@pytest.mark.parametrize("placeholder", ["${env:CITY}", "${CITY}", "{env:CITY}", "${{ secrets.CITY }}"])
def test_a_placeholder_has_the_value_of_the_machine_or_is_asked_for_and_is_never_text(placeholder: str) -> None:
    fields = {"command": "npx", "args": ["x"], "env": {"PLACE": placeholder}}
    assert server(fields, environment={"CITY": "Beijing"}).environment == {"PLACE": "Beijing"}
    unknown = server(fields)
    assert (unknown.environment, [question.key for question in unknown.questions]) == ({}, ["CITY"])


@pytest.mark.parametrize(
    ("file", "key", "placeholder", "is_replaced"),
    [
        ("claude_desktop_config.json", "mcpServers", "a${CITY}", False),
        ("claude_desktop_config.json", "mcpServers", "a$CITY", False),
        ("/work/.mcp.json", "mcpServers", "a${CITY}", True),
        ("/work/.mcp.json", "mcpServers", "a${CITY:-x}", True),
        ("/work/.mcp.json", "mcpServers", "a${env:CITY}", False),
        ("/work/.mcp.json", "mcpServers", "a$CITY", False),
        ("/work/.cursor/mcp.json", "mcpServers", "a${env:CITY}", True),
        ("/work/.cursor/mcp.json", "mcpServers", "a${CITY}", False),
        ("/work/.cursor/mcp.json", "mcpServers", "a$CITY", False),
        ("/work/.vscode/mcp.json", "servers", "a${env:CITY}", True),
        ("/work/.vscode/mcp.json", "servers", "a${CITY}", False),
        ("mcp_config.json", "mcpServers", "a${env:CITY}", True),
        ("/me/.gemini/settings.json", "mcpServers", "a$CITY", True),
        ("/me/.gemini/settings.json", "mcpServers", "a${CITY}", True),
        ("/me/.gemini/settings.json", "mcpServers", "a%CITY%", True),
        ("config.toml", "mcp_servers", "a${CITY}", False),
        ("config.toml", "mcp_servers", "a$CITY", False),
        ("/me/.copilot/mcp-config.json", "mcpServers", "a$CITY", True),
        ("/me/settings/mcp_settings.json", "mcpServers", "a${CITY}", False),
        ("/me/settings/mcp_settings.json", "mcpServers", "a${env:CITY}", True),
        ("opencode.json", "mcp", "a{env:CITY}", True),
        ("opencode.json", "mcp", "a${CITY}", False),
        ("settings.json", "context_servers", "a${CITY}", False),
        ("servers.json", "mcpServers", "a${CITY}", True),
        ("servers.json", "mcpServers", "a$CITY", False),
        ("servers.json", "mcpServers", "a%CITY%", False),
    ],
)
def test_a_client_replaces_the_placeholders_that_it_knows_and_others_are_text(
    file: str, key: str, placeholder: str, is_replaced: bool
) -> None:
    made = with_place(placeholder, file, key, environment={"CITY": "Beijing"})
    assert made.environment == {"PLACE": "aBeijing" if is_replaced else placeholder}
    assert made.questions == []


def test_a_password_with_a_dollar_is_stored_as_it_is() -> None:
    for password in ("ab$USER", "ab$nobody-has-this", "$ecret0123456", "a%USER%b"):
        made = server({"command": "npx", "args": ["x"], "env": {"DB_PASSWORD": password}}, environment={"USER": "me"})
        assert made.secrets["DB_PASSWORD"].value.get_secret_value() == password
        assert made.questions == []
        assert password not in " ".join(remark.text() for remark in made.remarks)


def test_a_whole_placeholder_that_the_client_does_not_replace_is_asked_for() -> None:
    made = with_place("${CITY}", "claude_desktop_config.json", environment={"CITY": "Beijing"})
    assert (made.environment, [question.key for question in made.questions]) == ({}, ["CITY"])
    answered = with_place("${CITY}", "claude_desktop_config.json", answers={"CITY": "Wuhan"})
    assert answered.environment == {"PLACE": "Wuhan"}


def test_a_whole_value_that_another_client_would_replace_is_told() -> None:
    made = with_place("$CITY", "servers.json", environment={"CITY": "Beijing"})
    assert made.environment == {"PLACE": "$CITY"}
    assert "PLACE" in made.remarks[0].text()


def test_what_tells_the_client_of_one_server_tells_that_of_all_in_the_file() -> None:
    servers = {
        "a": {"command": "npx", "args": ["a"], "trust": False},
        "b": {"command": "npx", "args": ["x"], "env": {"PLACE": "$CITY"}},
    }
    _, entry = dialects.entries({"mcpServers": servers})
    assert Importer({"CITY": "Beijing"}).convert(entry).request.environment == {"PLACE": "Beijing"}


def test_programs_that_replace_variables_themselves_still_do() -> None:
    fields = {
        "command": "npx",
        "args": ["mcp-remote", "https://mcp.example.com/mcp", "--header", "Authorization:${AUTH}"],
        "env": {"AUTH": f"Bearer {SECRET}"},
    }
    [entry] = dialects.entries({"mcpServers": {"weather": fields}}, client="claude-desktop")
    made = Importer().convert(entry).request
    assert [secret.value.get_secret_value() for secret in made.secrets.values() if secret.value] == [SECRET]
    of_windows = server({"command": "cmd", "args": ["/c", "npx", "x", "%CITY%"]}, environment={"CITY": "Wuhan"})
    assert of_windows.arguments == ("Wuhan",)
    in_a_shell = {"command": "sh", "args": ["-c", "npx x ${CITY}"]}
    [entry] = dialects.entries({"mcpServers": {"weather": in_a_shell}}, client="claude-desktop")
    assert Importer({"CITY": "Wuhan"}).convert(entry).request.arguments == ("Wuhan",)


def test_a_placeholder_without_a_value_has_its_default() -> None:
    assert server({"command": "npx", "args": ["x", "${CITY:-Wuhan}"]}).arguments == ("Wuhan",)
