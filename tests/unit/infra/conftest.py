"""The machine under test has IPv6, whatever this one has, and its engine is its own."""

from __future__ import annotations

import pytest

from infra.settings import addresses


@pytest.fixture(autouse=True)
def ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(addresses, "has_ipv6", lambda: True)
