"""Real gateways: with a stand-in for the hub, which reports the requests that reach it, and with the real hub."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateway.conftest import NGINX_FOLDER
from tests.gateway.support.docker_cli import build_image
from tests.gateway.support.gateway_under_test import GatewayUnderTest
from tests.gateway.support.hub_under_test import CLIENTS, HUB, PATIENT, PORTS, SERVICES
from tests.gateway.support.whole_stack import WholeStack, whole_stack


@pytest.fixture(scope="package")
def bare() -> Iterator[GatewayUnderTest]:
    """A gateway with backends for alpha, hung and the hub, which each module configures."""
    running = GatewayUnderTest(build_image(NGINX_FOLDER), ports=PORTS)
    try:
        running.start()
        for name in ("alpha", "hung", "hub"):
            running.backend(name)
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def gateway(bare: GatewayUnderTest) -> GatewayUnderTest:
    """The gateway with the usual configuration, whose breakers stay closed."""
    bare.configure(PATIENT, SERVICES, CLIENTS, hub=HUB)
    return bare


@pytest.fixture(scope="module")
def stack() -> Iterator[WholeStack]:
    """A gateway with the real hub and its services."""
    gateway = GatewayUnderTest(build_image(NGINX_FOLDER), ports=PORTS)
    try:
        gateway.start()
        with whole_stack(gateway) as running:
            yield running
    finally:
        gateway.stop()
