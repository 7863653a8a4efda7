"""Tests that the table of the hub's cases is complete and names tests that exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ROWS = [
    line.strip("|").split("|")
    for line in (ROOT / "tests/gateway/hub/CASES.md").read_text(encoding="utf-8").splitlines()
    if re.match(r"\| \d", line)
]
NAMED = sorted({name for row in ROWS for name in re.findall(r"`(tests/[^`]+)`", row[-1])})


@cache
def functions_of(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_each_case_has_a_row() -> None:
    assert [int(row[0]) for row in ROWS] == list(range(1, 53))
    assert {int(row[0]) for row in ROWS if "::" not in row[-1]} == set()


@pytest.mark.parametrize("name", NAMED)
def test_a_named_test_exists(name: str) -> None:
    file, test = name.split("::")
    assert test in functions_of(ROOT / file)


def test_a_test_with_the_number_of_a_case_is_in_its_row() -> None:
    numbers = {name: int(row[0]) for row in ROWS for name in re.findall(r"::(test_[^`]+)`", row[-1])}
    wrong = {
        name: number
        for name, number in numbers.items()
        if (said := re.match(r"test_(?:case_)?(\d+)_", name)) and int(said[1]) != number
    }
    assert wrong == {}
