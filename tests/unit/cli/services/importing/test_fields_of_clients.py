"""Fields that only one client has are read as that client reads them, and none is lost without a word."""

from __future__ import annotations

import json
from typing import Any

from cli.services.importing.clients import dialects, files
from cli.services.importing.clients.entries import Imported, Importer
from cli.services.importing.requests import SourceRequest

SECRET = "0123456789abcdef-very-secret"
STDIO = {"command": "npx", "args": ["-y", "@example/weather-mcp@1.2.3"]}
REMOTE = "https://mcp.example.com/mcp"


def imported(text: str, **importer: Any) -> list[Imported]:
    return [Importer(**importer).convert(entry) for entry in dialects.entries(files.parse(text.encode()))]


def request(text: str, **importer: Any) -> SourceRequest:
    [only] = imported(text, **importer)
    assert only.refusal is None, str(only.refusal)
    return only.request


def test_the_servers_of_the_user_and_of_projects_of_claude_code_are_all_read_once() -> None:
    of_the_project = {"command": "npx", "args": ["other"]}
    configuration = {
        "mcpServers": {"weather": STDIO},
        "projects": {
            "/a": {"mcpServers": {"weather": STDIO, "other": of_the_project}},
            "/b": {"mcpServers": {"other": of_the_project, "weather": {"command": "npx", "args": ["newer"]}}},
        },
    }
    found = [(item.request.name, item.request.package) for item in imported(json.dumps(configuration))]
    assert found == [("weather", "@example/weather-mcp"), ("other", "other"), ("weather", "newer")]


def test_options_of_mcp_remote_after_a_value_and_after_the_port_are_read() -> None:
    arguments = ["mcp-remote", REMOTE, "--ignore-tool", "delete*", "3334", "--header", "X-Team: a"]
    fields = {"command": "npx", "args": arguments, "disabledTools": ["drop"]}
    made = request(json.dumps({"mcpServers": {"weather": fields}}))
    assert made.headers == {"X-Team": "a"}
    assert made.hidden_tools == ("delete*", "drop")


def test_the_headers_of_continue_are_kept() -> None:
    text = f"""
mcpServers:
  - name: weather
    type: streamable-http
    url: {REMOTE}
    requestOptions:
      headers: {{X-Team: a, Authorization: "Bearer ${{{{ secrets.WEATHER_TOKEN }}}}"}}
"""
    made = request(text, environment={"WEATHER_TOKEN": SECRET})
    assert made.headers == {"X-Team": "a", "Authorization": "Bearer ${WEATHER_TOKEN}"}
    value = made.secrets["WEATHER_TOKEN"].value
    assert value and value.get_secret_value() == SECRET
    assert made.remarks == []


def test_codex_names_variables_in_tables_and_an_older_one_has_milliseconds() -> None:
    text = """
    [mcp_servers.weather]
    command = "npx"
    args = ["x"]
    env_vars = ["CITY", { name = "UNIT", source = "local" }]
    startup_timeout_ms = 20000
    """
    made = request(text, environment={"CITY": "Wuhan", "UNIT": "C"})
    assert made.environment == {"CITY": "Wuhan", "UNIT": "C"}
    assert (made.startup_seconds, made.remarks) == (20, [])


def test_the_timeout_of_opencode_is_in_milliseconds() -> None:
    fields = {"type": "local", "command": ["npx", "x"], "timeout": 500}
    assert request(json.dumps({"mcp": {"weather": fields}})).max_call_seconds == 1
