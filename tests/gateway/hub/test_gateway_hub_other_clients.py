"""Tests that clients which nobody here wrote use the hub through the gateway, and a group of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.support.whole_stack import WholeStack, authorization
from tests.servers.conformance.test_other_clients import inspect, printed, run_old
from tests.stand_in.hub.services import PET
from tests.support import node_programs, old_clients_environment
from tests.support.node_programs import NodePrograms

TEXT = {"text": "你好"}
ARGUMENTS = json.dumps(TEXT, ensure_ascii=False)
AUTHORIZATION = authorization("everything")["Authorization"]
#: By address, the name of the server and the name of the tool that repeats a text.
ADDRESSES = {"": ("dyber", "alpha_echo"), "/groups/pet": ("dyber-pet", "say")}


@pytest.fixture(scope="module")
def programs() -> NodePrograms:
    return node_programs.install()


@pytest.fixture(scope="module")
def old_python() -> Path:
    """Return a Python with the SDK 1.x and qwen-agent."""
    return old_clients_environment.install()


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_AUTHORIZATION", AUTHORIZATION)


def tools(stack: WholeStack, path: str) -> list[str]:
    """Return the names of the tools of an address in the order of its list."""
    if path:
        return [tool["exposed"] for tool in PET["tools"]]
    return [tool["name"] for entry in stack.entries.values() for tool in entry["tools"]]


def expected(stack: WholeStack, path: str) -> dict[str, Any]:
    return {"server": ADDRESSES[path][0], "tools": tools(stack, path), "answer": TEXT}


@pytest.mark.parametrize("path", ADDRESSES)
@pytest.mark.parametrize(("transport", "end"), [("http", "/mcp"), ("sse", "/mcp/sse")])
def test_4_the_python_sdk_1_uses_the_hub(
    stack: WholeStack, old_python: Path, transport: str, end: str, path: str
) -> None:
    got = run_old(old_python, "sdk_1.py", transport, stack.base + path + end, ADDRESSES[path][1], ARGUMENTS)
    assert got == expected(stack, path)


@pytest.mark.parametrize("path", ADDRESSES)
def test_4_qwen_agent_uses_the_hub(stack: WholeStack, old_python: Path, path: str) -> None:
    got = run_old(old_python, "qwen_agent_client.py", f"{stack.base}{path}/mcp", ADDRESSES[path][1], ARGUMENTS)
    # It adds tools that read resources.
    shown = [name for name in got["tools"] if not name.endswith(("list_resources", "read_resource"))]
    assert (shown, got["answer"]) == ([f"kit-{name}" for name in tools(stack, path)], TEXT)


@pytest.mark.parametrize("path", ADDRESSES)
@pytest.mark.parametrize("script", ["sdk_1.mjs", "sdk_2.mjs"])
def test_4_the_typescript_sdks_use_the_hub(stack: WholeStack, programs: NodePrograms, script: str, path: str) -> None:
    file = node_programs.FOLDER / script
    got = printed(programs.run_module(file, f"{stack.base}{path}/mcp", ADDRESSES[path][1], ARGUMENTS))
    assert got == expected(stack, path)


@pytest.mark.parametrize("path", ADDRESSES)
def test_4_the_inspector_uses_the_hub(stack: WholeStack, programs: NodePrograms, path: str) -> None:
    header = ("--header", f"Authorization: {AUTHORIZATION}")
    listed = inspect(programs, stack.base + path, "tools/list", *header)
    assert [tool["name"] for tool in listed["tools"]] == tools(stack, path)
    call = ("--tool-name", ADDRESSES[path][1], "--tool-arg", "text=你好")
    assert inspect(programs, stack.base + path, "tools/call", *call, *header)["structuredContent"] == TEXT
