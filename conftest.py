"""Tiers: every test is marked with its folder's name, and cheap tiers run first; a service's own tests are of the tier
`servers`. In two processes the deployment has one to itself, and the files of the other tiers share the other.

Every service's package and test helpers can be imported by name, as soon as its folder is there."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TIERS = ["unit", "servers", "toolchain", "gateway", "deploy"]
HERE = Path(__file__).parent
IN_PARALLEL = "PYTEST_XDIST_WORKER" in os.environ

for _spec in sorted((HERE / "mcp-servers").glob("*/service.yaml")):
    sys.path += [str(_spec.parent), str(_spec.parent / "tests")]


def _tier(item: pytest.Item) -> str:
    top, second, *_ = item.path.relative_to(HERE).parts
    return second if top == "tests" else "servers"


def _turn(item: pytest.Item) -> int:
    tier = _tier(item)
    return -1 if IN_PARALLEL and tier == "deploy" else TIERS.index(tier)


# Around all others: pytest-xdist reads the groups in the same hook.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    for item in items:
        tier = _tier(item)
        item.add_marker(tier)
        item.add_marker(pytest.mark.xdist_group("deploy" if tier == "deploy" else str(item.path.relative_to(HERE))))
    items.sort(key=_turn)
    yield
