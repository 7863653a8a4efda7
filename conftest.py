"""Tiers: every test is marked with its folder's name, and cheap tiers run first; a service's own tests are of the tier
`servers`. In several processes the longest come first: the two parts of the deployment, each in a process of its own and
with a stack of its own, then the files of the other tiers, which all processes share.

Every service's package and test helpers can be imported by name, as soon as its folder is there."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from messages.catalogue import compile_catalogue
from tests.support.service_packages import make_importable

TIERS = ["unit", "servers", "console", "toolchain", "gateway", "deploy"]
#: One of the two parts of the deployment's tests; they take about as long as the rest.
CHANGES_OF_A_DEPLOYMENT = tuple(f"tests/deploy/test_{number}_" for number in (1, 2, 3))
HERE = Path(__file__).parent
IN_PARALLEL = "PYTEST_XDIST_WORKER" in os.environ

# A shell without job control starts background jobs with SIGINT ignored, which every program started here would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)

make_importable()
if not IN_PARALLEL:
    compile_catalogue()


def _tier(item: pytest.Item) -> str:
    top, second, *_ = item.path.relative_to(HERE).parts
    return second if top == "tests" else "servers"


def _turn(item: pytest.Item) -> int:
    turn = TIERS.index(_tier(item))
    return -turn if IN_PARALLEL else turn


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(_tier(item))
    items.sort(key=_turn)


def pytest_collection_finish() -> None:
    """Spare the garbage collector all modules and tests, which stay until the end."""
    gc.collect()
    gc.freeze()


class _Groups(LoadScopeScheduling):
    """Hands out whole files; those together that share a stack, as a part of the deployment and all of the toolchain do,
    or a service with its browser."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        if file.startswith("tests/deploy/"):
            return "deployment" if file.startswith(CHANGES_OF_A_DEPLOYMENT) else "commands on a deployment"
        if file.startswith(("mcp-servers/", "tests/servers/xiaohongshu/", "tests/toolchain/")):
            return file.rpartition("/")[0]
        return file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _Groups:
    return _Groups(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Give the list of failures at the end lines that are long enough for the messages, also in a file."""
    writer = terminalreporter.config.get_terminal_writer()
    writer.fullwidth = max(writer.fullwidth, 240)
