"""Fixtures of real gateways: one that is shared by tests that only call it, and others for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.gateway.support.docker_cli import build_image
from tests.gateway.support.gateway_under_test import SETTINGS, GatewayUnderTest, changed

NGINX_FOLDER = Path(__file__).resolve().parents[2] / "nginx"


@pytest.fixture(scope="session")
def gateway_image() -> str:
    return build_image(NGINX_FOLDER)


@contextmanager
def started(image: str) -> Iterator[GatewayUnderTest]:
    """Start a gateway without configuration and backends; it and its backends are removed afterwards."""
    running = GatewayUnderTest(image)
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def gateway(gateway_image: str) -> Iterator[GatewayUnderTest]:
    """A configured gateway with backends for `alpha` and `hung`, which tests must not change."""
    with started(gateway_image) as running:
        running.backend("alpha")
        running.backend("hung")
        # Tests call services that do not answer, in any order and number.
        running.configure(changed(SETTINGS, breaker={"failures": 1000}))
        yield running


@pytest.fixture(scope="session")
def reused(gateway_image: str) -> Iterator[GatewayUnderTest]:
    with started(gateway_image) as running:
        yield running


@pytest.fixture
def own_gateway(reused: GatewayUnderTest) -> Iterator[GatewayUnderTest]:
    """A gateway without backends that tests may change. It keeps the last configuration, so tests configure it first."""
    yield reused
    for name in list(reused.others):
        reused.remove_backend(name, grace_seconds=0)


@pytest.fixture
def fresh_gateway(gateway_image: str) -> Iterator[GatewayUnderTest]:
    """A new gateway without configuration and backends, for tests of its start and its end."""
    with started(gateway_image) as running:
        yield running
