"""Tests of the contract: what agents see of each service's tools, and that it changes only on purpose."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
from dyber_kit import Settings, create_app, tool
from dyber_kit.contract import all_tools, main, render, tools_contract
from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel, Field

from tests.stand_in.running import SERVERS, free_port, python_path
from tests.stand_in.services import PACKAGES, SPECS, build
from tests.stand_in.tokens import SEEN, tokens_of

#: Some clients cut longer texts off.
MAX_TEXT_CHARS = 2000
#: Most tokens of the tools that agents see by default, with their output schemas: read-only and with one account.
MAX_TOKENS = 4000
#: The same for a service that may write.
MAX_TOKENS_WITH_WRITES = 5400


#: Prints the contracts of the services in these packages, as the command does, as a JSON object.
PRINT_CONTRACTS = """
import contextlib, io, json, sys
from dyber_kit.contract import main
contracts = {}
for package in sys.argv[1:]:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert main([package]) == 0
    contracts[package] = printed.getvalue()
print(json.dumps(contracts))
"""


@pytest.fixture(scope="module", params=sorted(PACKAGES))
def contract(request):
    """Return the name of each service and the contract computed from its code."""
    return request.param, tools_contract(build(PACKAGES[request.param], all_tools(free_port())))


@pytest.fixture(scope="module")
def english_contracts():
    """Return the printed contracts of all services by package, from a process whose language is English."""
    environment = {**os.environ, "PYTHONPATH": python_path(), "DYBER_LANGUAGE": "en"}
    command = [sys.executable, "-c", PRINT_CONTRACTS, *PACKAGES.values()]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    return json.loads(printed.stdout)


def test_the_template_and_xiaohongshu_services_are_discovered():
    assert {"template", "xiaohongshu"} <= set(PACKAGES)


def test_the_lock_file_equals_the_contract_of_the_current_code(contract):
    service, actual = contract
    kept = (SERVERS / service / "tools.lock.json").read_text(encoding="utf-8")
    assert kept == render(actual), f"run: python -m dyber_kit.contract {PACKAGES[service]} --write FILE"


def test_the_contract_does_not_depend_on_the_language_of_the_service(contract, english_contracts):
    service, actual = contract
    assert english_contracts[PACKAGES[service]] == render(actual)


def test_tool_names_start_with_the_service_and_are_valid_for_every_client(contract):
    service, actual = contract
    start = {"xiaohongshu": "xhs"}.get(service, service.replace("-", "_"))
    for name in actual["tools"]:
        assert re.fullmatch(rf"{start}_[a-z0-9_]{{1,40}}", name)


def test_every_tool_has_all_four_hints_and_a_title(contract):
    for name, published in contract[1]["tools"].items():
        hints = published["annotations"]
        assert {"title", "readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"} <= set(hints), name


def test_inputs_are_flat_and_described_and_allow_additional_arguments(contract):
    for name, published in contract[1]["tools"].items():
        schema = published["inputSchema"]
        assert "$ref" not in json.dumps(schema), name
        assert schema["type"] == "object"
        assert "additionalProperties" not in schema, name
        for argument, rules in schema["properties"].items():
            assert rules.get("description"), (name, argument)
            assert rules["type"] in ("string", "integer", "number", "boolean"), (name, argument)


def test_the_service_file_says_whether_tools_act_for_an_account_that_is_named(contract):
    service, actual = contract
    named = [name for name, published in actual["tools"].items() if "account" in published["inputSchema"]["properties"]]
    assert SPECS[service].get("accounts", False) == bool(named)


def test_every_text_argument_and_number_is_bounded(contract):
    for name, published in contract[1]["tools"].items():
        for argument, rules in published["inputSchema"]["properties"].items():
            if rules["type"] == "string":
                assert "maxLength" in rules or "enum" in rules, (name, argument)
            if rules["type"] in ("integer", "number"):
                assert {"minimum", "maximum"} <= set(rules), (name, argument)


def test_instructions_and_descriptions_are_short(contract):
    service, actual = contract
    instructions = build(PACKAGES[service], all_tools(free_port())).mcp.instructions
    assert 0 < len(instructions) <= MAX_TEXT_CHARS
    assert [name for name, tool in actual["tools"].items() if len(tool["description"]) > MAX_TEXT_CHARS] == []


@pytest.mark.parametrize(("read_only", "most"), [(True, MAX_TOKENS), (False, MAX_TOKENS_WITH_WRITES)])
@pytest.mark.parametrize("service", sorted(PACKAGES))
async def test_the_list_of_tools_costs_few_tokens(service, read_only, most):
    app = build(PACKAGES[service], Settings(port=free_port(), read_only=read_only))
    tools = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in await app.mcp.list_tools()]
    assert tokens_of(tools, *SEEN, "outputSchema") <= most


def test_every_tool_describes_its_output(contract):
    for name, published in contract[1]["tools"].items():
        assert published["outputSchema"]["type"] == "object", name


class Pair(BaseModel):
    """Is a nested input."""

    left: str


class Done(BaseModel):
    """Is the answer of the tools here."""

    ok: bool = True


def test_a_tool_with_nested_inputs_is_refused():
    @tool(title="嵌套", read_only=True, open_world=False)
    async def nested(pair: Pair) -> Done:
        """Accept an object."""
        return Done()

    with pytest.raises(ValueError, match="nested has nested inputs"):
        create_app(name="x", title="x", version="1", instructions="", tools=[nested], settings=Settings())


class Post(BaseModel):
    """Is an item that is read under another name than it is written."""

    likes: int = Field(validation_alias="attitudes_count")


class Posts(BaseModel):
    """Holds such items."""

    items: list[Post] | None = None


def test_a_tool_whose_answer_would_not_fit_its_output_schema_is_refused():
    @tool(title="列出", read_only=True, open_world=False)
    async def listing() -> Posts:
        """List posts."""
        return Posts()

    with pytest.raises(ValueError, match="listing has an answer whose field Post.likes"):
        create_app(name="x", title="x", version="1", instructions="", tools=[listing], settings=Settings())


def test_a_tool_without_a_docstring_is_refused():
    @tool(title="无说明", read_only=True, open_world=False)
    async def undocumented() -> Done:
        return Done()

    with pytest.raises(ValueError, match="undocumented needs a docstring"):
        create_app(name="x", title="x", version="1", instructions="", tools=[undocumented], settings=Settings())


def test_a_tool_that_is_not_async_is_refused_by_name():
    @tool(title="同步", read_only=True, open_world=False)
    def blocking() -> Done:
        """Block every other call while it runs."""
        return Done()

    with pytest.raises(ValueError, match="blocking must be a function written with `async def`"):
        create_app(name="x", title="x", version="1", instructions="", tools=[blocking], settings=Settings())


@pytest.mark.parametrize("answer", [None, str, CallToolResult, TextContent, "missing"])
def test_a_tool_whose_answer_has_no_structure_is_refused_by_name(answer):
    async def unstructured():
        """Return a value of any type."""

    if answer != "missing":
        unstructured.__annotations__["return"] = answer
    declared = tool(title="无结构", read_only=True, open_world=False)(unstructured)
    with pytest.raises(ValueError, match="unstructured"):
        create_app(name="x", title="x", version="1", instructions="", tools=[declared], settings=Settings())


def test_a_tool_that_writes_is_also_checked_in_a_read_only_service():
    @tool(title="写", read_only=False, open_world=False)
    def writing() -> Done:
        """Write."""
        return Done()

    with pytest.raises(ValueError, match="writing must be"):
        create_app(
            name="x", title="x", version="1", instructions="", tools=[writing], settings=Settings(read_only=True)
        )


def test_two_tools_of_the_same_name_are_refused():
    @tool(title="一", read_only=True, open_world=False)
    async def same() -> Done:
        """Return an answer."""
        return Done()

    with pytest.raises(ValueError, match="two tools of x have the same name"):
        create_app(name="x", title="x", version="1", instructions="", tools=[same, same], settings=Settings())


def test_the_command_reports_a_changed_description(tmp_path, capsys):
    kept = tmp_path / "tools.lock.json"
    assert main(["template_server", "--write", str(kept)]) == 0
    assert main(["template_server", "--check", str(kept)]) == 0
    kept.write_text(kept.read_text(encoding="utf-8").replace("原样返回文字", "做别的事"), encoding="utf-8")
    capsys.readouterr()
    assert main(["template_server", "--check", str(kept)]) == 1
    difference = capsys.readouterr().out
    assert '-      "description": "做别的事' in difference
    assert '+      "description": "原样返回文字' in difference


def test_the_command_reports_a_changed_prompt(tmp_path, capsys, monkeypatch):
    package = tmp_path / "prompting_server"
    package.mkdir()
    (package / "__init__.py").touch()
    code = """
from dyber_kit import create_app, prompt

@prompt(title="问候")
async def prompting_greet() -> str:
    \"\"\"Greet.\"\"\"
    return "你好"

def build_app(settings):
    return create_app(
        name="prompting", title="x", version="1", instructions="", tools=[], prompts=[prompting_greet], settings=settings
    )
"""
    (package / "service.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    kept = tmp_path / "tools.lock.json"
    assert main(["prompting_server", "--write", str(kept)]) == 0
    assert main(["prompting_server", "--check", str(kept)]) == 0
    kept.write_text(kept.read_text(encoding="utf-8").replace("Greet.", "Greet warmly."), encoding="utf-8")
    assert main(["prompting_server", "--check", str(kept)]) == 1
    assert '-      "description": "Greet warmly.' in capsys.readouterr().out
