from __future__ import annotations

from pathlib import Path

import pytest

from cli.commands.data import restore
from cli.deployment import deployment
from cli.recovery import way_back
from tests.support.fake_engine import FakeEngine, use_engine


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository."""
    for module in (deployment, restore):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def fake_engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """An engine without containers and volumes; copying a volume is one change of it, `copy SOURCE TARGET`."""
    fake = FakeEngine()
    use_engine(monkeypatch, fake)
    monkeypatch.setattr(way_back.volumes, "replicate", lambda source, target: fake.record("copy", f"{source} {target}"))
    return fake
