"""The same server becomes the same service from the configuration of every client."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import SecretStr

from cli.services.importing.clients import dialects, files
from cli.services.importing.clients.entries import Imported, Importer
from cli.services.importing.requests import Kind, RefusedError

SECRET = "0123456789abcdef-very-secret"
ARGUMENTS = ["-y", "@example/weather-mcp@1.2.3", "--units", "metric"]
VARIABLES = {"WEATHER_API_KEY": SECRET, "WEATHER_LANGUAGE": "zh"}
STDIO = {"command": "npx", "args": ARGUMENTS, "env": VARIABLES}


def imported(text: str, file: str = "", **importer: Any) -> list[Imported]:
    configuration = files.parse(text.encode(), file)
    return [Importer(**importer).convert(entry) for entry in dialects.entries(configuration, "weather")]


def the_only(text: str | dict[str, Any], file: str = "", **importer: Any) -> Imported:
    [only] = imported(text if isinstance(text, str) else json.dumps(text), file, **importer)
    return only


def request(text: str | dict[str, Any], file: str = "", **importer: Any) -> Any:
    result = the_only(text, file, **importer)
    assert result.refusal is None, str(result.refusal)
    return result.request


def server(fields: dict[str, Any], **importer: Any) -> Any:
    return request({"mcpServers": {"weather": fields}}, **importer)


def refusal(fields: dict[str, Any], **importer: Any) -> str:
    result = the_only({"mcpServers": {"weather": fields}}, **importer)
    assert result.refusal is not None
    return str(result.refusal)


CODEX = f"""
model = "gpt"
[mcp_servers.weather]
command = "npx"
args = {json.dumps(ARGUMENTS)}
[mcp_servers.weather.env]
WEATHER_API_KEY = "{SECRET}"
WEATHER_LANGUAGE = "zh"
"""
CONTINUE = f"""
name: mine
mcpServers:
  - name: weather
    command: npx
    args: [-y, "@example/weather-mcp@1.2.3", --units, metric]
    env:
      WEATHER_API_KEY: {SECRET}
      WEATHER_LANGUAGE: zh
"""
VS_CODE = f"""
{{
  // Servers of this workspace
  "servers": {{
    "weather": {{
      "type": "stdio", "command": "npx",
      "args": ["-y", "@example/weather-mcp@1.2.3", "--units", "metric"], /* metric units */
      "env": {{"WEATHER_API_KEY": "{SECRET}", "WEATHER_LANGUAGE": "zh",}},
    }},
  }},
}}
"""
DIALECTS = {
    "Claude Desktop": json.dumps({"mcpServers": {"weather": STDIO}}),
    "Claude Code": json.dumps({"projects": {"/work/a": {"mcpServers": {"weather": {"type": "stdio", **STDIO}}}}}),
    "Cursor": json.dumps({"mcpServers": {"weather": {"type": "stdio", **STDIO}}}),
    "VS Code": VS_CODE,
    "VS Code settings": json.dumps({"editor.fontSize": 12, "mcp": {"inputs": [], "servers": {"weather": STDIO}}}),
    "Windsurf": json.dumps({"mcpServers": {"weather": {**STDIO, "disabledTools": []}}}),
    "Gemini CLI": json.dumps({"theme": "dark", "mcpServers": {"weather": {**STDIO, "trust": False}}}),
    "Codex": CODEX,
    "Qwen-Agent": json.dumps({"mcpServers": {"weather": STDIO}}),
    "Cherry Studio": json.dumps(
        {"mcpServers": {"weather": {"name": "weather", "type": "stdio", "isActive": True, "baseUrl": "", **STDIO}}}
    ),
    "Cline": json.dumps({"mcpServers": {"weather": {**STDIO, "disabled": False, "autoApprove": []}}}),
    "1mcp": json.dumps(
        {"mcpServers": {"weather": {**STDIO, "tags": ["a"], "env": [f"{k}={v}" for k, v in VARIABLES.items()]}}}
    ),
    "Zed": json.dumps({"context_servers": {"weather": {"source": "custom", **STDIO}}}),
    "an older Zed": json.dumps(
        {"context_servers": {"weather": {"command": {"path": "npx", "args": ARGUMENTS, "env": VARIABLES}}}}
    ),
    "Continue": CONTINUE,
    "LangChain": json.dumps({"weather": {"transport": "stdio", **STDIO}}),
    "opencode": json.dumps(
        {"mcp": {"weather": {"type": "local", "command": ["npx", *ARGUMENTS], "environment": VARIABLES}}}
    ),
    "a single server": json.dumps(STDIO),
    "a file of Windows": "\ufeff" + json.dumps({"mcpServers": {"weather": STDIO}}),
}


@pytest.mark.parametrize("client", DIALECTS)
def test_the_same_server_becomes_the_same_service_from_every_client(client: str) -> None:
    made = request(DIALECTS[client])
    assert (made.kind, made.package, made.version) == (Kind.NPM, "@example/weather-mcp", "1.2.3")
    assert made.name == "weather"
    assert made.arguments == ("--units", "metric")
    assert made.environment == {"WEATHER_LANGUAGE": "zh"}
    secret = made.secrets["WEATHER_API_KEY"]
    assert secret.value.get_secret_value() == SECRET
    assert list(made.secrets) == ["WEATHER_API_KEY"]
    assert (made.remarks, made.questions, made.disabled) == ([], [], False)


REMOTE_DIALECTS = {
    "Claude Code": ({"type": "http", "url": "https://mcp.example.com/mcp"}, "streamable-http"),
    "Cursor": ({"url": "https://mcp.example.com/mcp"}, ""),
    "an address that says it": ({"url": "https://mcp.example.com/sse"}, "sse"),
    "VS Code": ({"type": "sse", "url": "https://mcp.example.com/mcp"}, "sse"),
    "Windsurf": ({"serverUrl": "https://mcp.example.com/mcp"}, ""),
    "Gemini CLI": ({"url": "https://mcp.example.com/mcp", "trust": False}, "sse"),
    "Gemini CLI, Streamable HTTP": ({"httpUrl": "https://mcp.example.com/mcp"}, "streamable-http"),
    "Qwen-Agent": ({"url": "https://mcp.example.com/mcp", "sse_read_timeout": 300}, "sse"),
    "Qwen-Agent, Streamable HTTP": (
        {"url": "https://mcp.example.com/mcp", "type": "streamable-http"},
        "streamable-http",
    ),
    "Cherry Studio": (
        {"baseUrl": "https://mcp.example.com/mcp", "type": "streamableHttp", "command": "", "args": []},
        "streamable-http",
    ),
    "LangChain": ({"url": "https://mcp.example.com/mcp", "transport": "streamable_http"}, "streamable-http"),
    "opencode": ({"url": "https://mcp.example.com/mcp", "type": "remote"}, "streamable-http"),
}


@pytest.mark.parametrize("client", REMOTE_DIALECTS)
def test_a_remote_server_keeps_the_transport_that_its_client_means(client: str) -> None:
    fields, transport = REMOTE_DIALECTS[client]
    made = server(fields)
    assert made.kind is Kind.URL
    assert made.package == fields.get("url", fields.get("httpUrl", fields.get("serverUrl", fields.get("baseUrl"))))
    assert made.transport == transport
    assert made.internet is True


def test_a_secret_header_becomes_a_secret_and_its_scheme_stays() -> None:
    made = server(
        {"url": "https://mcp.example.com/mcp", "headers": {"Authorization": f"Bearer {SECRET}", "X-Team": "a"}}
    )
    assert made.headers == {"Authorization": "Bearer ${WEATHER_TOKEN}", "X-Team": "a"}
    assert made.secrets["WEATHER_TOKEN"].value.get_secret_value() == SECRET


def test_a_secret_in_an_address_becomes_a_secret() -> None:
    made = server({"url": f"https://mcp.example.com/mcp?key={SECRET}&lang=zh"})
    assert made.package == "https://mcp.example.com/mcp?key=${WEATHER_KEY}&lang=zh"
    assert made.secrets["WEATHER_KEY"].value.get_secret_value() == SECRET


def test_a_part_of_an_address_that_nobody_can_guess_becomes_a_secret() -> None:
    made = server({"url": "https://mcp.example.com/0123456789abcdef0123/sse", "type": "sse"})
    assert made.package == "https://mcp.example.com/${WEATHER_PATH}/sse"
    assert made.secrets["WEATHER_PATH"].value.get_secret_value() == "0123456789abcdef0123"


def test_the_headers_of_codex_come_from_variables() -> None:
    text = """
    [mcp_servers.weather]
    url = "https://mcp.example.com/mcp"
    bearer_token_env_var = "WEATHER_BEARER"
    env_http_headers = { X-Api-Key = "WEATHER_X" }
    startup_timeout_sec = 20
    tool_timeout_sec = 90.5
    enabled_tools = ["forecast"]
    """
    made = request(text, "config.toml", environment={"WEATHER_BEARER": SECRET})
    assert made.headers == {"Authorization": "Bearer ${WEATHER_BEARER}", "X-Api-Key": "${WEATHER_X}"}
    assert made.secrets["WEATHER_BEARER"].value.get_secret_value() == SECRET
    assert made.secrets["WEATHER_X"].value is None
    assert (made.startup_seconds, made.max_call_seconds, made.only_tools) == (20, 90, ("forecast",))


def test_an_input_with_a_password_is_a_secret_that_is_asked_for() -> None:
    configuration = {
        "inputs": [
            {"type": "promptString", "id": "key", "description": "Key of the weather service", "password": True},
            {"type": "pickString", "id": "lang", "options": ["zh", "en"], "default": "zh"},
        ],
        "servers": {
            "weather": {
                "command": "npx",
                "args": ["x"],
                "env": {"WEATHER_X": "${input:key}", "LANG_X": "${input:lang}"},
            }
        },
    }
    made = request(configuration)
    assert made.secrets["WEATHER_X"].value is None
    assert made.secrets["WEATHER_X"].description == ""
    [question] = made.questions
    assert (question.key, question.choices, question.default) == ("lang", ("zh", "en"), "zh")
    answered = request(configuration, answers={"lang": "en", "key": SECRET})
    assert (answered.environment, answered.questions) == ({"LANG_X": "en"}, [])
    assert answered.secrets["WEATHER_X"].value.get_secret_value() == SECRET


def test_an_answer_that_is_no_choice_is_refused() -> None:
    result = the_only(
        {
            "inputs": [{"id": "lang", "options": ["zh", "en"]}],
            "servers": {"weather": {"command": "npx", "args": ["x", "${input:lang}"]}},
        },
        answers={"lang": "fr"},
    )
    assert "zh, en" in str(result.refusal)


def test_a_value_that_only_stands_for_a_secret_is_no_value() -> None:
    for text in ("YOUR_API_KEY", "<your key>", "", "xxxxxxxx", "您的密钥", "sk-xxxxxx"):
        made = server({"command": "npx", "args": ["x"], "env": {"API_KEY": text}})
        assert made.secrets["API_KEY"].value is None, text


PLACEHOLDERS = (
    "your-api-key", "YOUR_TOKEN", "yourApiKey", "yourpassword", "<token>", "sk-<key>", "[key]", "xxx", "sk-xxx", "changeme",
    "change_me", "replace-with-your-key", "REPLACE_ME", "my-api-key", "MY_TOKEN", "enter your key", "paste_key_here",
    "https://your-host/x", "***", "请填写密钥", "在此填入", "sk-你的密钥", "placeholder",
)  # fmt: skip
VALUES = (
    "mysql", "mydb", "mysqlpassvalue", "my-database", "my_org", "myserver.example.com", "putty", "changelog", "inserted",
    "enterprise", "replacement", "replace-all", "put-object", "yourdon", "[1, 2]", '["a"]', "maxxx.py", "change-log",
    "根据你的需要", "a<b", "sphinx",
)  # fmt: skip


@pytest.mark.parametrize("text", PLACEHOLDERS)
def test_a_placeholder_is_asked_for_and_shown(text: str) -> None:
    made = server({"command": "npx", "args": ["x"], "env": {"DB_HOST": text}})
    assert [(question.key, question.placeholder) for question in made.questions] == [("DB_HOST", text)]


@pytest.mark.parametrize("text", VALUES)
def test_an_ordinary_value_is_no_placeholder(text: str) -> None:
    made = server({"command": "npx", "args": ["x", text], "env": {"DB_HOST": text, "MYSQL_PASS": text}})
    assert (made.questions, made.environment["DB_HOST"], made.arguments) == ([], text, (text,))
    assert made.secrets["MYSQL_PASS"].value == SecretStr(text)


def test_a_placeholder_in_place_of_a_secret_is_told() -> None:
    made = server({"command": "npx", "args": ["x"], "env": {"API_KEY": "YOUR_API_KEY", "B_KEY": ""}})
    assert ["API_KEY" in remark.text() and "placeholder" in remark.text() for remark in made.remarks] == [True]


def test_null_removes_a_variable_and_numbers_and_booleans_become_text() -> None:
    made = server({"command": "npx", "args": ["x", 3], "env": {"A": None, "LEVEL": 3, "FULL": True}})
    assert (made.environment, made.arguments) == ({"LEVEL": "3", "FULL": "true"}, ("3",))


def test_variables_of_a_file_are_read_and_those_of_the_entry_come_first() -> None:
    fields = {"command": "npx", "args": ["x"], "envFile": ".env", "env": {"CITY": "Wuhan"}}
    made = server(fields, read_variables=lambda path: {"CITY": "Xi'an", "UNIT": "C"} if path == ".env" else None)
    assert made.environment == {"CITY": "Wuhan", "UNIT": "C"}
    unreadable = server({**fields, "envFile": "gone"})
    assert "--set" in unreadable.remarks[0].text()


def test_names_of_variables_that_services_cannot_have_are_mapped() -> None:
    variables = {"log_level": "info", "apiKey": SECRET, "LOG_LEVEL": "debug"}
    made = server({"command": "npx", "args": ["x"], "env": variables})
    assert made.environment == {"WEATHER_LOG_LEVEL": "info", "WEATHER_LOG_LEVEL_2": "debug"}
    assert made.renamed == {
        "log_level": "WEATHER_LOG_LEVEL",
        "apiKey": "API_KEY",
        "LOG_LEVEL": "WEATHER_LOG_LEVEL_2",
    }


@pytest.mark.parametrize(
    "name", ["PATH", "NODE_OPTIONS", "LD_PRELOAD", "NODE_TLS_REJECT_UNAUTHORIZED", "DYBER_X", "a b"]
)
def test_variables_that_switch_off_checks_or_load_code_are_left_out_and_named(name: str) -> None:
    made = server({"command": "npx", "args": ["x"], "env": {name: "0"}})
    assert made.environment == {}
    assert name in made.remarks[0].text()


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({"timeout": 60}, 60),
        ({"timeout": 90000}, 90),
        ({"timeout": 1800, "autoApprove": []}, 1800),
        ({"timeout": 1500, "trust": True}, 2),
        ({"timeout": 120, "isActive": True}, 120),
        ({"requestTimeout": 30000, "tags": []}, 30),
        ({"timeout": "abc"}, None),
        ({"timeout": -5}, None),
        ({"timeout": True}, None),
        ({"timeout": 1e12}, None),
    ],
)
def test_a_timeout_is_read_in_the_unit_of_its_client(fields: dict[str, Any], seconds: int | None) -> None:
    assert server({**STDIO, **fields}).max_call_seconds == seconds


def test_filters_of_tools_are_kept_and_approvals_are_not() -> None:
    made = server(
        {**STDIO, "excludeTools": ["delete"], "includeTools": ["a", "b"], "autoApprove": ["a"], "trust": True}
    )
    assert (made.hidden_tools, made.only_tools) == (("delete",), ("a", "b"))
    assert "autoApprove, trust" in made.remarks[0].text()


@pytest.mark.parametrize("fields", [{"disabled": True}, {"enabled": False}, {"isActive": False}])
def test_a_server_that_is_switched_off_stays_so(fields: dict[str, Any]) -> None:
    assert server({**STDIO, **fields}).disabled


def test_unknown_keys_are_listed_without_their_values() -> None:
    made = server({**STDIO, "frobnicate": SECRET, "cwd": "/x"})
    texts = " ".join(remark.text() for remark in made.remarks)
    assert "frobnicate" in texts and SECRET not in texts


def test_folders_of_the_machine_become_the_data_volume() -> None:
    made = server(
        {"command": "npx", "args": ["x", "/Users/me/Desktop", "${workspaceFolder}", "--db=/home/me/a.db", "/tmp/y"]}
    )
    assert made.arguments == ("${data}", "--db=${data}/a.db", "/tmp/y")
    assert made.data
    of_windows = server({"command": "npx", "args": ["x"], "env": {"MEMORY_FILE_PATH": "C:\\Users\\me\\memory.json"}})
    assert (of_windows.environment, of_windows.data) == ({"MEMORY_FILE_PATH": "/data/memory.json"}, True)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"type": "inMemory", "command": "x"}, "inmemory"),
        ({"type": "ws", "url": "wss://x.example.com"}, "ws"),
        ({}, "--from"),
        ({"url": "ftp://example.com"}, "https://"),
        ({"url": "http://mcp.example.com/mcp"}, "https"),
        ({"url": f"https://user:{SECRET}@mcp.example.com/mcp"}, "Authorization"),
        ({"url": "https://192.168.1.5/mcp"}, "private-address"),
        ({"url": "http://localhost:3000/mcp"}, "private-address"),
        ({"url": "https://mcp.example.com/mcp", "oauth": {"clientId": "a"}}, "OAuth"),
        ({"url": "https://mcp.example.com/mcp", "headersHelper": "x"}, "OAuth"),
    ],
)
def test_what_cannot_be_a_service_is_refused_with_a_next_step(fields: dict[str, Any], words: str) -> None:
    message = refusal(fields)
    assert words in message and SECRET not in message


def test_an_address_in_a_private_network_can_be_accepted() -> None:
    assert server({"url": "http://localhost:3000/mcp"}, private=True).package == "http://localhost:3000/mcp"


def test_a_key_that_is_twice_is_refused_and_named() -> None:
    with pytest.raises(RefusedError, match="weather"):
        files.parse(b'{"mcpServers": {"weather": {"command": "a"}, "weather": {"command": "b"}}}')


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b'{"mcpServers": {\n "a": {"env": {"TOKEN": "s3cr3t-value" "x": 1}}}}', "2"),
        (b'[mcp_servers.a]\nenv = { TOKEN = "s3cr3t-value" x }', "2"),
        (b"mcpServers:\n  - name: a\n   command: s3cr3t-value: x", "3"),
        (b'{"a": "s3cr3t-value', ""),
        (b"\xff\xfe\xff", ""),
        (b"\x80s3cr3t-value", ""),
        (b"  \n", ""),
        (b"s3cr3t-value", ""),
        (b"[" * 5000, ""),
        (b"&a [*a]", ""),
        (b"{" * 3000 + b"// x", ""),
        (b'{"servers": {"web": {"port": 80}}}', ""),
        (b"[]", ""),
        (b"null", ""),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_without_quoting_it(content: bytes, place: str) -> None:
    with pytest.raises(RefusedError) as refused:
        dialects.entries(files.parse(content))
    assert place in str(refused.value)
    assert "s3cr3t" not in str(refused.value)


def test_the_order_of_the_file_is_kept() -> None:
    names = [item.request.name for item in imported(json.dumps({"mcpServers": {"b": STDIO, "a": STDIO, "c": {}}}))]
    assert names == ["b", "a", "c"]
