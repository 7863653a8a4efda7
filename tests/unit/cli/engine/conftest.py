from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.engine import connection
from tests.support.socket_engine import SocketEngine, listening


@pytest.fixture
def socket_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SocketEngine]:
    """An engine that listens on a socket, which no variable names."""
    monkeypatch.setenv("DYBER_LANG", "en")
    for name in connection.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with listening(tmp_path) as server:
        yield server


@pytest.fixture
def chosen_engine(socket_engine: SocketEngine, monkeypatch: pytest.MonkeyPatch) -> SocketEngine:
    """The engine that DOCKER_HOST names."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{socket_engine.path}")
    return socket_engine
