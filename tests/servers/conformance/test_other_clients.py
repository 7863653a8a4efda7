"""Tests that clients which nobody here wrote connect to a server of the kit, list its tools and call one."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support import node_programs, old_clients_environment
from tests.support.node_programs import NodePrograms

TOOLS = ["template_echo", "template_countdown", "template_search", "template_get"]
ARGUMENTS = json.dumps({"text": "你好"}, ensure_ascii=False)
ECHO = {"text": "你好", "length": 2}
INSPECTOR = "@modelcontextprotocol/inspector/clients/launcher/build/index.js"


@pytest.fixture(scope="module")
def programs() -> NodePrograms:
    return node_programs.install()


@pytest.fixture(scope="module")
def old_python() -> Path:
    """Return a Python with the SDK 1.x and qwen-agent."""
    return old_clients_environment.install()


def printed(result: subprocess.CompletedProcess[str]) -> Any:
    """Return what a client printed on its last line."""
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads(result.stdout.strip().splitlines()[-1])


def run_old(python: Path, script: str, *arguments: str) -> Any:
    file = old_clients_environment.FOLDER / script
    result = subprocess.run(
        [python, file, *arguments], cwd=file.parent, capture_output=True, text=True, timeout=120, check=False
    )
    return printed(result)


@pytest.mark.parametrize(("transport", "path"), [("http", "/mcp"), ("sse", "/mcp/sse")])
def test_the_python_sdk_1_uses_a_server(old_python: Path, template: str, transport: str, path: str) -> None:
    got = run_old(old_python, "sdk_1.py", transport, template + path, "template_echo", ARGUMENTS)
    assert got == {"server": "template", "tools": TOOLS, "answer": ECHO}


def test_qwen_agent_uses_a_server(old_python: Path, template: str) -> None:
    got = run_old(old_python, "qwen_agent_client.py", f"{template}/mcp", "template_echo", ARGUMENTS)
    assert got == {"tools": [f"kit-{name}" for name in TOOLS], "answer": ECHO}


@pytest.mark.parametrize("script", ["sdk_1.mjs", "sdk_2.mjs"])
def test_the_typescript_sdks_use_a_server(programs: NodePrograms, template: str, script: str) -> None:
    got = printed(programs.run_module(node_programs.FOLDER / script, f"{template}/mcp", "template_echo", ARGUMENTS))
    assert got == {"server": "template", "tools": TOOLS, "answer": ECHO}


def inspect(programs: NodePrograms, base: str, method: str, *more: str) -> Any:
    """Return what the Inspector's command line prints for a method."""
    arguments = ["--cli", f"{base}/mcp", "--transport", "http", "--method", method, *more]
    result = programs.run(INSPECTOR, *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads(result.stdout)


def test_the_inspector_uses_a_server(programs: NodePrograms, template: str) -> None:
    assert [tool["name"] for tool in inspect(programs, template, "tools/list")["tools"]] == TOOLS
    called = inspect(programs, template, "tools/call", "--tool-name", "template_echo", "--tool-arg", "text=你好")
    assert called["structuredContent"] == ECHO
