"""Tiers: every test is marked with its folder's name, and cheap tiers run first."""

from __future__ import annotations

from pathlib import Path

import pytest

TIERS = ["unit", "servers", "toolchain", "gateway", "deploy"]
HERE = Path(__file__).parent


def _tier(item: pytest.Item) -> str:
    return item.path.relative_to(HERE).parts[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(_tier(item))
    items.sort(key=lambda item: TIERS.index(_tier(item)))
