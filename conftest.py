"""Tiers: every test is marked with its folder's name, and cheap tiers run first; a service's own tests are of the tier
`servers`. In two processes the deployment has one to itself, and the files of the other tiers share the other.

Every service's package and test helpers can be imported by name, as soon as its folder is there."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.support.service_packages import make_importable

TIERS = ["unit", "servers", "toolchain", "gateway", "deploy"]
HERE = Path(__file__).parent
IN_PARALLEL = "PYTEST_XDIST_WORKER" in os.environ

# A shell without job control starts background jobs with SIGINT ignored, which every program started here would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)

make_importable()


def _tier(item: pytest.Item) -> str:
    top, second, *_ = item.path.relative_to(HERE).parts
    return second if top == "tests" else "servers"


def _turn(item: pytest.Item) -> int:
    tier = _tier(item)
    return -1 if IN_PARALLEL and tier == "deploy" else TIERS.index(tier)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(_tier(item))
    items.sort(key=_turn)


class _OneDeploys(LoadScopeScheduling):
    """Hands out whole files, and the deployment's all together, as they share one stack."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return "deploy" if file.startswith("tests/deploy/") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _OneDeploys:
    return _OneDeploys(config, log)
