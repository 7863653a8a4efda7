"""The pages about security are complete, the same in both languages, and name existing tests."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
PAGES = ("docs/security.md", "docs/security.en.md")
TEST = re.compile(r"`((?:tests|mcp-servers)/[\w/.-]+\.py)::(\w+)`")


def named(page: str) -> list[tuple[str, str]]:
    """Return file and function of each test that the page names."""
    return TEST.findall((REPOSITORY / page).read_text(encoding="utf-8"))


def functions(file: str) -> set[str]:
    tree = ast.parse((REPOSITORY / file).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def rows(page: str) -> list[list[str]]:
    """Return the cells of the rows of both lists."""
    lines = (REPOSITORY / page).read_text(encoding="utf-8").splitlines()
    return [line.strip("| ").split(" | ") for line in lines if re.match(r"\| (?:MCP\d\d|5\.\d+) \|", line)]


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_is_named_exists(page: str) -> None:
    tests = named(page)
    assert len(tests) > 40
    missing = [f"{file}::{name}" for file, name in tests if name not in functions(file)]
    assert missing == []


@pytest.mark.parametrize("page", PAGES)
def test_there_is_a_row_for_each_item(page: str) -> None:
    expected = [*(f"MCP{number:02}" for number in range(1, 11)), *(f"5.{number}" for number in range(1, 32))]
    assert [row[0] for row in rows(page)] == expected


@pytest.mark.parametrize("page", PAGES)
def test_a_row_without_a_test_says_so(page: str) -> None:
    excuse = ("未做", "没有单独的测试", "Not done", "There is no test of its own")
    bare = [row for row in rows(page) if row[3] in ("无", "none")]
    assert bare
    assert [row[0] for row in bare if not any(words in row[2] for words in excuse)] == []


def test_both_languages_name_the_same_tests_in_the_same_order() -> None:
    chinese, english = (named(page) for page in PAGES)
    assert chinese == english


@pytest.mark.parametrize(("readme", "page"), [("README.md", PAGES[0]), ("README.en.md", PAGES[1])])
def test_the_readme_leads_there(readme: str, page: str) -> None:
    assert f"]({page})" in (REPOSITORY / readme).read_text(encoding="utf-8")
