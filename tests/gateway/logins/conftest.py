"""A gateway whose callers may log in at an identity provider, and the real verifier of the hub."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateway.conftest import started
from tests.gateway.support.gateway_under_test import GatewayUnderTest
from tests.gateway.support.logins import Logins, logins_of
from tests.stand_in.identity_provider import IdentityProvider


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    with IdentityProvider() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(gateway_image: str) -> Iterator[GatewayUnderTest]:
    with started(gateway_image) as running:
        running.backend("alpha")
        running.backend("hung")
        yield running


@pytest.fixture(scope="module")
def logins(gateway: GatewayUnderTest, provider: IdentityProvider) -> Iterator[Logins]:
    with logins_of(gateway, provider) as running:
        yield running
