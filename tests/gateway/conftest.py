"""Real containers: one gateway shared by the tests that only ask it, fresh ones for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.gateway.support.docker_cli import build_image
from tests.gateway.support.gateway_under_test import GatewayUnderTest

NGINX_FOLDER = Path(__file__).resolve().parents[2] / "nginx"


@pytest.fixture(scope="session")
def gateway_image() -> str:
    return build_image(NGINX_FOLDER)


@contextmanager
def started(image: str) -> Iterator[GatewayUnderTest]:
    """Running, not yet configured, without backends; gone with all that it started on leaving."""
    running = GatewayUnderTest(image)
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def gateway(gateway_image: str) -> Iterator[GatewayUnderTest]:
    """Configured, with backends for `alpha` and `hung`. Tests leave it as it is."""
    with started(gateway_image) as running:
        running.backend("alpha")
        running.backend("hung")
        running.configure()
        yield running


@pytest.fixture(scope="session")
def reused(gateway_image: str) -> Iterator[GatewayUnderTest]:
    with started(gateway_image) as running:
        yield running


@pytest.fixture
def own_gateway(reused: GatewayUnderTest) -> Iterator[GatewayUnderTest]:
    """For tests that configure it first and may change it: without backends, with what the last test left otherwise."""
    yield reused
    for name in list(reused.others):
        reused.remove_backend(name, grace_seconds=0)


@pytest.fixture
def fresh_gateway(gateway_image: str) -> Iterator[GatewayUnderTest]:
    """Started, not yet configured, without backends; for tests of its first or last moments."""
    with started(gateway_image) as running:
        yield running
