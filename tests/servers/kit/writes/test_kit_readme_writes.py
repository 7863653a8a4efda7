"""Tests that the examples of a tool that writes, and of a tool that knows its caller, work as the README prints them."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import httpx2
import pytest
from dyber_kit import Settings, create_app
from dyber_kit.serving.server import build_server
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.stand_in.running import SERVERS, free_port, running


def example_of(section: str, folder: Path) -> ModuleType:
    """Return the example in a section of the README as an imported module."""
    text = (SERVERS / "kit" / "README.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", text.partition(f"\n## {section}\n")[2], re.DOTALL)
    assert code is not None
    file = folder / "readme_example.py"
    file.write_text(code[1], encoding="utf-8")
    spec = importlib.util.spec_from_file_location(f"readme_example_{len(section)}", file)
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("accounts", [("main",), ("main", "second")])
async def test_the_example_writes_the_note_that_the_user_confirmed(tmp_path, accounts):
    example = example_of("会修改内容的工具", tmp_path)
    app = example.build_app(Settings(port=free_port(), read_only=False, data_dir=tmp_path), accounts)
    call = {"text": "买牛奶", **({"account": "second"} if len(accounts) > 1 else {})}
    async with Client(app.mcp) as client:
        (listed,) = (await client.list_tools()).tools
        planned = (await client.call_tool("note_write", call)).structured_content
        file = tmp_path / f"{accounts[-1]}.txt"
        assert not file.exists()
        done = await client.call_tool("note_write", {**call, "dry_run": False, "confirmation": planned["confirmation"]})
    assert ("account" in listed.input_schema["properties"]) == (len(accounts) > 1)
    assert planned["summary"] == f"把 {accounts[-1]} 的便条改成：买牛奶"
    assert (done.structured_content["done"], file.read_text(encoding="utf-8")) == (True, "买牛奶")


async def test_the_example_refuses_an_account_that_is_not_configured(tmp_path):
    example = example_of("会修改内容的工具", tmp_path)
    app = example.build_app(Settings(port=free_port(), read_only=False, data_dir=tmp_path), ("main", "second"))
    async with Client(app.mcp) as client:
        result = await client.call_tool("note_write", {"text": "买牛奶", "account": "../main"})
    assert result.is_error and result.content[0].text.startswith("INVALID_ARGUMENT")


async def test_the_example_says_before_the_confirmation_what_prevents_the_write(tmp_path):
    app = example_of("会修改内容的工具", tmp_path).build_app(Settings(port=free_port(), read_only=False))
    async with Client(app.mcp) as client:
        result = await client.call_tool("note_write", {"text": "买牛奶"})
    assert result.is_error and result.content[0].text.startswith("NOT_CONFIGURED")


@pytest.mark.parametrize(("scope", "may_write"), [("all", True), ("read", False)])
async def test_the_example_of_a_caller_knows_its_name_and_scope(tmp_path, scope, may_write):
    tools = [example_of("谁在调用，可以用什么", tmp_path).demo_caller]
    app = create_app(
        name="demo", title="示例", version="1", instructions="", tools=tools, settings=Settings(port=free_port())
    )
    headers = {"X-Dyber-Client": "phone", "X-Dyber-Scope": scope}
    with running(build_server(app)) as base:
        http = httpx2.AsyncClient(headers=headers, timeout=30)
        async with Client(streamable_http_client(f"{base}/mcp", http_client=http)) as client:
            told = (await client.call_tool("demo_caller")).structured_content
    assert told == {"client": "phone", "may_write": may_write}
