"""The kinds of a foreign server's tools are given by name or by pattern."""

from __future__ import annotations

import pytest

from cli.services.adding import tool_kinds
from infra.services.contract import Contract


@pytest.fixture
def contract() -> Contract:
    return Contract({"read_text": {"annotations": {"readOnlyHint": True}}, "read_media": {}, "write_file": {}})


def test_a_pattern_stands_for_each_tool_that_it_fits(contract: Contract) -> None:
    decided = tool_kinds.decisions(contract, read=["read_*"], off=["write_file"])
    assert decided == {"read_text": "read", "read_media": "read", "write_file": "off"}


def test_a_star_stands_for_all_tools(contract: Contract) -> None:
    assert set(tool_kinds.decisions(contract, write=["*"])) == {"read_text", "read_media", "write_file"}


def test_names_and_patterns_that_fit_no_tool_are_told(contract: Contract) -> None:
    assert tool_kinds.unknown(contract, ["read_*", "delete_*", "write", "*"]) == ["delete_*", "write"]
