"""The page about environments describes every rule, in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from policy.rules import RULES

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.mark.parametrize("page", ["environments.md", "environments.en.md"])
def test_every_rule_is_described_and_no_other(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    table = text.split("|---|---|\n")[-1].split("\n\n")[0]
    named = [name for row in table.splitlines() for name in re.findall(r"`([a-z-]+)`", row.split("|")[1])]
    assert sorted(named) == sorted(RULES)
