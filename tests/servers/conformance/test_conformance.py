"""Tests a server built on the kit with the official conformance suite of the protocol."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dyber_kit import Settings
from dyber_kit.serving.server import build_server

from tests.servers.conformance.service import build_app
from tests.stand_in.running import free_port, running
from tests.support import node_programs
from tests.support.conformance_suite import REVISIONS, required_scenarios, run_suite
from tests.support.node_programs import NodePrograms


@pytest.fixture(scope="module")
def programs() -> NodePrograms:
    return node_programs.install()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Return the base URL of the conformance server."""
    with running(build_server(build_app(Settings(port=free_port())))) as base:
        yield base


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_scenario_that_a_revision_requires_passes(
    programs: NodePrograms, server: str, tmp_path: Path, revision: str
) -> None:
    score = run_suite(programs, f"{server}/mcp", revision, tmp_path)
    assert score.failures == []
    assert required_scenarios(programs, revision) <= set(score.checks)
    assert sum(score.passed.values()) > 70
