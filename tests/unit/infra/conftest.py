"""Sets what differs between machines: texts are English, the machine has IPv6, and its engine is local."""

from __future__ import annotations

import pytest

from infra.settings import addresses


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYBER_LANG", "en")


@pytest.fixture(autouse=True)
def ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(addresses, "has_ipv6", lambda: True)
