"""Runs a small stand-in for any website."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import uvicorn

from tests.stand_in.platforms import small_platform
from tests.stand_in.running import StandIn, free_port, running


@pytest.fixture
def inn() -> Iterator[StandIn]:
    """Return a running stand-in, which nobody has visited."""
    site = small_platform.create_site()
    with running(uvicorn.Server(uvicorn.Config(site, port=free_port(), log_level="warning"))) as base:
        yield StandIn(base, site)
