"""Tests that callers read English or Chinese, whichever they ask for, and that agents' data keep their names."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from dyber_kit import Settings
from mcp import Client

from tests.stand_in.running import free_port

import github_server

CHINESE = re.compile("[\u4e00-\u9fff]")


def chinese_literals(code: str) -> list[int]:
    """Return the lines of Chinese texts that messages may have.

    What agents and users read in lists may be Chinese: titles and descriptions of tools, prompts and arguments, and the
    instructions.
    """
    tree = ast.parse(code)
    described = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.AsyncFunctionDef) and isinstance(node.body[0], ast.Expr)
    }
    for_people = {
        id(keyword.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg in ("title", "description", "instructions")
    }
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in for_people | described
        if CHINESE.search(node.value)
    ]


def test_the_code_has_no_chinese_texts_outside_of_the_catalogue():
    package = Path(github_server.__file__).parent
    assert {
        file.name: lines for file in package.rglob("*.py") if (lines := chinese_literals(file.read_text("utf-8")))
    } == {}


async def test_an_answer_from_the_cache_is_in_the_language_of_its_caller(app, ask, state, monkeypatch):
    chinese = await ask("get_repo", repo="octocat/hello", max_chars=100)
    monkeypatch.setenv("DYBER_LANGUAGE", "en")
    english = await ask("get_repo", repo="octocat/hello", max_chars=100)
    assert "没有读完" in chinese["warnings"][0]
    assert english["warnings"] == ["The README is cut: github_read_file reads all of README.md"]
    # The second language costs only confirmations.
    assert state.used["core"] == 2


@pytest.mark.parametrize(
    ("tool", "arguments", "text"),
    [
        ("get_repo", {"repo": "x"}, "INVALID_ARGUMENT: No repository was recognized. Next step: Write owner/name"),
        ("search_issues", {}, "query or repo is needed"),
        ("get_repo", {"repo": "octocat/missing"}, "GITHUB_TOKEN needs the permission to read private content"),
    ],
)
async def test_refusals_are_told_in_english(refused, monkeypatch, tool, arguments, text):
    monkeypatch.setenv("DYBER_LANGUAGE", "en")
    told = await refused(tool, **arguments)
    assert text in told and not CHINESE.search(told)


async def test_a_write_is_described_in_english(make, ask, monkeypatch):
    monkeypatch.setenv("DYBER_LANGUAGE", "en")
    app = make(Settings(port=free_port(), read_only=False))
    answer = await ask("create_issue", app=app, repo="octocat/hello", title="A title", body="{text}")
    assert answer["summary"] == (
        "Open an issue in octocat/hello (public, everybody can read it) as mona. Title: A title. Text: {text}"
    )


async def test_prompts_are_in_english(app, monkeypatch):
    monkeypatch.setenv("DYBER_LANGUAGE", "en")
    async with Client(app.mcp) as client:
        got = await client.get_prompt("github_explain_repo", {"repo": "o/r"})
    text = got.messages[0].content.text
    assert text.startswith("Explain the GitHub project o/r:") and not CHINESE.search(text)
