"""A `server.json` of the MCP registry becomes the service that its publisher means."""

from __future__ import annotations

from typing import Any

import pytest

from cli.services.importing.clients.entries import Importer
from cli.services.importing.registry import files
from cli.services.importing.requests import Kind, RefusedError, SourceRequest

NPM = {"registryType": "npm", "identifier": "@example/weather-mcp", "version": "1.2.3", "transport": {"type": "stdio"}}
PYPI = {"registryType": "pypi", "identifier": "weather-mcp", "version": "1.2.3", "transport": {"type": "stdio"}}
REMOTE = {"type": "streamable-http", "url": "https://mcp.example.com/mcp"}
OCI = {"registryType": "oci", "identifier": "registry.example/weather:1.2.3", "transport": {"type": "stdio"}}
PINNED = {"registryType": "oci", "identifier": "registry.example/weather@sha256:" + "a" * 64}


def description(**parts: Any) -> dict[str, Any]:
    return {"name": "io.example/weather-mcp", "description": "Tells the weather", "version": "9.9.9", **parts}


def request(content: Any, number: int | None = None, **importer: Any) -> SourceRequest:
    return files.convert(content, Importer(**importer), number)


def package(fields: dict[str, Any] | None = None, /, **importer: Any) -> SourceRequest:
    return request(description(packages=[{**NPM, **(fields or {})}]), **importer)


def refusal(content: Any, number: int | None = None, **importer: Any) -> str:
    with pytest.raises(RefusedError) as refused:
        request(content, number, **importer)
    return str(refused.value)


def arguments(*given: dict[str, Any], **answers: str) -> tuple[str, ...]:
    return package({"packageArguments": list(given)}, answers=answers).arguments


def test_the_version_of_the_package_counts_not_that_of_the_server() -> None:
    made = package()
    assert (made.kind, made.package, made.version) == (Kind.NPM, "@example/weather-mcp", "1.2.3")
    assert (made.name, made.description) == ("weather", "Tells the weather")


def test_an_answer_of_the_registry_is_unwrapped() -> None:
    meta = {"io.modelcontextprotocol.registry/official": {"status": "active"}}
    assert request({"server": description(packages=[NPM]), "_meta": meta}).package == "@example/weather-mcp"
    assert request({"servers": [{"server": description(packages=[NPM])}]}).package == "@example/weather-mcp"


def test_a_deleted_server_is_refused_and_a_deprecated_one_is_told() -> None:
    def with_status(status: str) -> dict[str, Any]:
        official = {"status": status, "statusMessage": "use io.example/sky"}
        meta = {"io.modelcontextprotocol.registry/official": official}
        return {"server": description(packages=[NPM]), "_meta": meta}

    assert "use io.example/sky" in refusal(with_status("deleted"))
    assert "use io.example/sky" in request(with_status("deprecated")).remarks[0].text()


@pytest.mark.parametrize(
    ("parts", "package_name"),
    [
        ({"packages": [OCI, NPM], "remotes": [REMOTE]}, "@example/weather-mcp"),
        ({"packages": [PYPI, NPM]}, "weather-mcp"),
        ({"packages": [PINNED], "remotes": [REMOTE]}, "registry.example/weather"),
        ({"packages": [OCI], "remotes": [REMOTE]}, "https://mcp.example.com/mcp"),
        ({"packages": [{**NPM, "registryType": "mcpb"}], "remotes": [REMOTE]}, "https://mcp.example.com/mcp"),
    ],
)
def test_what_can_be_locked_is_preferred_and_the_others_are_named(parts: dict[str, Any], package_name: str) -> None:
    made = request(description(**parts))
    assert made.package == package_name
    others = len(parts["packages"]) + len(parts.get("remotes", ())) > 1
    assert bool(made.remarks) is others
    if others:
        assert "--package" in made.remarks[0].text()


def test_another_package_can_be_chosen() -> None:
    content = description(packages=[NPM, PYPI], remotes=[REMOTE])
    assert request(content, 2).kind is Kind.PYPI
    assert request(content, 3).kind is Kind.URL
    assert "1 npm: @example/weather-mcp 1.2.3; 2 pypi: weather-mcp 1.2.3; 3 url:" in refusal(content, 4)


@pytest.mark.parametrize("kind", ["nuget", "mcpb", "cargo", "frobnicate"])
def test_another_type_of_package_is_refused_by_name(kind: str) -> None:
    assert kind in refusal(description(packages=[{**NPM, "registryType": kind}]))


def test_a_package_that_is_to_be_run_with_the_program_of_another_type_is_refused() -> None:
    assert "uvx" in refusal(description(packages=[{**NPM, "runtimeHint": "uvx"}]))


def test_two_different_versions_of_a_package_are_refused() -> None:
    assert "2.0.0" in refusal(description(packages=[{**NPM, "identifier": "@example/weather-mcp@2.0.0"}]))
    assert package({"identifier": "@example/weather-mcp@1.2.3"}).version == "1.2.3"


def test_a_file_of_before_september_2025_is_converted_and_that_is_told() -> None:
    old = {
        "name": "io.example/weather-mcp",
        "description": "Tells the weather",
        "version_detail": {"version": "1.0.0"},
        "packages": [
            {
                "registry_name": "npm",
                "name": "@example/weather-mcp",
                "version": "1.2.3",
                "package_arguments": [{"type": "positional", "value_hint": "city", "value": "Wuhan"}],
                "environment_variables": [{"name": "API_KEY", "is_required": True, "is_secret": True}],
            }
        ],
    }
    made = request(old)
    assert (made.package, made.version, made.arguments) == ("@example/weather-mcp", "1.2.3", ("Wuhan",))
    assert made.secrets["API_KEY"].required
    assert "2025" in made.remarks[0].text()


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ({"type": "positional", "value": "serve"}, ("serve",)),
        ({"type": "positional", "valueHint": "city", "default": "Wuhan"}, ("Wuhan",)),
        ({"type": "positional", "valueHint": "city"}, ()),
        ({"type": "named", "name": "--city", "value": "Wuhan"}, ("--city", "Wuhan")),
        ({"type": "named", "name": "--city", "value": "=Wuhan"}, ("--city=Wuhan",)),
        ({"type": "named", "name": "--level", "value": 3}, ("--level", "3")),
        (
            {"type": "named", "name": "--city", "value": "{x}-{y}", "variables": {"x": {"default": "a"}}},
            ("--city", "a-{y}"),
        ),
        ({"type": "named", "name": "--full", "format": "boolean", "value": "true"}, ("--full",)),
        ({"type": "named", "name": "--full", "format": "boolean", "default": "false"}, ()),
        ({"type": "named", "name": "--full", "format": "boolean", "value": "=true"}, ("--full=true",)),
        ({"type": "named", "name": "--full", "value": ""}, ("--full",)),
    ],
)
def test_an_argument_becomes_words(argument: dict[str, Any], words: tuple[str, ...]) -> None:
    assert arguments(argument) == words


def test_a_repeated_argument_is_written_for_each_answer() -> None:
    given = {"type": "named", "name": "--city", "isRepeated": True, "isRequired": True}
    assert arguments(given, city="Wuhan 'Xi an'") == ("--city", "Wuhan", "--city", "Xi an")


def test_a_required_input_is_asked_for_with_its_default_and_its_choices() -> None:
    given = {"type": "named", "name": "--unit", "isRequired": True, "default": "C", "choices": ["C", "F"]}
    [question] = package({"packageArguments": [given]}).questions
    assert (question.key, question.default, question.choices) == ("unit", "C", ("C", "F"))
    assert arguments(given, unit="F") == ("--unit", "F")


@pytest.mark.parametrize(
    ("rules", "answer", "words"),
    [
        ({"choices": ["C", "F"]}, "K", "C, F"),
        ({"format": "number"}, "much", "number"),
        ({"format": "filepath"}, "/etc/passwd", "/data"),
        ({"format": "filepath"}, "/data/../etc/passwd", "/data"),
    ],
)
def test_an_answer_that_is_not_possible_is_refused(rules: dict[str, Any], answer: str, words: str) -> None:
    given = {"type": "named", "name": "--unit", "isRequired": True, **rules}
    content = description(packages=[{**NPM, "packageArguments": [given]}])
    assert words in refusal(content, answers={"unit": answer})


def test_a_path_is_below_the_data_volume() -> None:
    given = {"type": "named", "name": "--file", "isRequired": True, "format": "filepath"}
    made = package({"packageArguments": [given]}, answers={"file": "/data/notes.db"})
    assert (made.arguments, made.data) == (("--file", "${data}/notes.db"), True)


def test_variables_and_secrets() -> None:
    made = package(
        {
            "environmentVariables": [
                {"name": "api_key", "isSecret": True, "isRequired": True, "description": "The key"},
                {"name": "OTHER_TOKEN", "isSecret": True},
                {"name": "CITY", "default": "Wuhan"},
                {"name": "UNIT", "value": "C"},
                {"name": "NOT_GIVEN"},
                {"name": "REGION", "isRequired": True},
                {"name": "PORT", "value": "80"},
            ]
        }
    )
    assert made.environment == {"CITY": "Wuhan", "UNIT": "C"}
    assert {name: secret.required for name, secret in made.secrets.items()} == {"API_KEY": True, "OTHER_TOKEN": False}
    assert made.secrets["API_KEY"].description == "The key"
    assert made.renamed == {"api_key": "API_KEY"}
    assert [question.key for question in made.questions] == ["REGION"]


def test_a_secret_argument_is_refused() -> None:
    given = {"type": "named", "name": "--token", "isSecret": True, "isRequired": True}
    assert "--secret" in refusal(description(packages=[{**NPM, "packageArguments": [given]}]))
    within = {"type": "named", "name": "--auth", "value": "Bearer {t}", "variables": {"t": {"isSecret": True}}}
    assert "--secret" in refusal(description(packages=[{**NPM, "packageArguments": [within]}]))


def test_the_arguments_of_the_runner_are_those_of_its_command_line() -> None:
    assert (
        package({"runtimeArguments": [{"type": "named", "name": "-y", "value": ""}]}).package == "@example/weather-mcp"
    )
    runtime = [{"type": "named", "name": "--with", "value": "mcp<2"}]
    assert request(description(packages=[{**PYPI, "runtimeArguments": runtime}])).requirements == ("mcp<2",)
    variables = {"key": {"isSecret": True, "isRequired": True}}
    runtime = [
        {"type": "named", "name": "-e", "value": "API_KEY={key}", "variables": variables},
        {
            "type": "named",
            "name": "--mount",
            "value": "type=bind,src={source},dst=/projects",
            "variables": {"source": {"default": "/x"}},
        },
    ]
    made = request(description(packages=[{**OCI, "runtimeArguments": runtime}]))
    assert (list(made.secrets), made.data, made.package, made.version) == (
        ["API_KEY"],
        True,
        "registry.example/weather",
        "1.2.3",
    )
    dangerous = [{"type": "named", "name": "--network", "value": "host"}]
    assert "--network host" in refusal(description(packages=[{**OCI, "runtimeArguments": dangerous}]))


def test_a_package_that_listens_itself_is_reached_at_its_port() -> None:
    made = package(
        {
            "transport": {"type": "streamable-http", "url": "http://localhost:{--port}/mcp"},
            "packageArguments": [{"type": "named", "name": "--port", "default": "8080"}],
        }
    )
    assert (made.transport, made.child_port, made.child_path) == ("streamable-http", 8080, "/mcp")
    assert "--package" in refusal(
        description(packages=[{**NPM, "transport": {"type": "sse", "url": "http://localhost:{port}/sse"}}])
    )


@pytest.mark.parametrize(
    ("url", "variable", "found"),
    [
        ("http://localhost:{PORT}/mcp", {"name": "PORT", "default": "8080"}, ("PORT", 8080)),
        ("http://{HOST}:{PORT}/mcp", {"name": "PORT", "isRequired": True}, ("PORT", 3000)),
        ("http://127.0.0.1:{MCP_PORT}/mcp", {"name": "MCP_PORT", "default": "80"}, ("MCP_PORT", 3000)),
        ("http://localhost:8080/mcp", {"name": "PORT", "value": "8080"}, ("PORT", 8080)),
        ("http://localhost:8080/mcp", {"name": "PORT", "value": "9090"}, ("", 8080)),
        ("http://localhost:8080/mcp", {"name": "CITY", "default": "8080"}, ("", 8080)),
    ],
)
def test_a_package_is_told_its_port_by_the_variable_that_its_publisher_names(
    url: str, variable: dict[str, Any], found: tuple[str, int]
) -> None:
    host = {"name": "HOST", "default": "127.0.0.1"}
    made = package({"transport": {"type": "streamable-http", "url": url}, "environmentVariables": [host, variable]})
    assert (made.port_variable, made.child_port, made.child_path) == (*found, "/mcp")
    assert not made.questions and set(made.environment) == {"CITY"} & {variable["name"]}


def test_a_remote_server_with_variables_and_secret_headers() -> None:
    remote = {
        "type": "sse",
        "url": "https://{tenant}.example.com/sse",
        "variables": {"tenant": {"isRequired": True, "default": "eu"}},
        "headers": [
            {
                "name": "Authorization",
                "value": "Bearer {token}",
                "variables": {"token": {"isSecret": True, "isRequired": True}},
            },
            {"name": "X-Team", "value": "a"},
            {"name": "X-Optional"},
        ],
    }
    content = description(remotes=[remote])
    [question] = request(content).questions
    assert (question.key, question.default) == ("tenant", "eu")
    made = request(content, answers={"tenant": "cn"})
    assert (made.kind, made.package, made.transport) == (Kind.URL, "https://cn.example.com/sse", "sse")
    assert made.headers == {"Authorization": "Bearer ${TOKEN}", "X-Team": "a"}
    assert list(made.secrets) == ["TOKEN"]


def test_the_registry_that_a_file_names_is_told_not_to_be_used() -> None:
    made = package({"registryBaseUrl": "https://registry.example"})
    assert "registry" in made.remarks[0].text() or "源" in made.remarks[0].text()


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        "x",
        {},
        {"name": 3},
        {"name": "a/b"},
        {"name": "a/b", "packages": [{}]},
        {"name": "a/b", "packages": "x"},
        {"name": "a/b", "packages": [{"registryType": "npm", "identifier": "x", "packageArguments": [{"choices": 3}]}]},
        {"server": None},
        {"servers": []},
        {"servers": [1, 2]},
        {"name": "a/b", "remotes": [{"type": "sse"}]},
    ],
)
def test_what_is_no_description_is_refused(content: Any) -> None:
    assert refusal(content)


@pytest.mark.parametrize("text", ["a${PLACE_OF_THE_CLOUD}", "${env:PLACE_OF_THE_CLOUD}", "${PLACE_OF_THE_CLOUD:-x}"])
def test_a_publisher_reads_no_variable_of_the_machine(text: str) -> None:
    machine = {"PLACE_OF_THE_CLOUD": "Kd83-kfj2-secret"}
    variables = [{"name": "PLACE", "value": text}]
    remote = {**REMOTE, "headers": [{"name": "X-Place", "value": text}]}
    for content in (
        description(packages=[{**NPM, "environmentVariables": variables}]),
        description(packages=[{**NPM, "packageArguments": [{"type": "positional", "value": text}]}]),
        description(remotes=[remote]),
    ):
        made = request(content, environment=machine)
        values = [secret.value.get_secret_value() for secret in made.secrets.values() if secret.value]
        assert machine["PLACE_OF_THE_CLOUD"] not in str((made, values))
