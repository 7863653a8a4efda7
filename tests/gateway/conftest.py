"""Real containers for the gateway's tests: one gateway shared by the tests that only ask it, fresh ones for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway.docker_cli import build_image
from gateway.gateway_under_test import GatewayUnderTest

NGINX_FOLDER = Path(__file__).resolve().parents[2] / "nginx"


@pytest.fixture(scope="session")
def gateway_image() -> str:
    return build_image(NGINX_FOLDER)


@pytest.fixture(scope="session")
def gateway(gateway_image: str) -> Iterator[GatewayUnderTest]:
    """Configured, with backends for `alpha` and `hung`. Tests leave it as it is."""
    running = GatewayUnderTest(gateway_image)
    try:
        running.start()
        running.backend("alpha")
        running.backend("hung")
        running.configure()
        yield running
    finally:
        running.stop()


@pytest.fixture
def fresh_gateway(gateway_image: str) -> Iterator[GatewayUnderTest]:
    """Started, not yet configured, without backends; for tests that change it."""
    running = GatewayUnderTest(gateway_image)
    try:
        running.start()
        yield running
    finally:
        running.stop()
