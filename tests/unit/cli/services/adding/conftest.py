from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cli.services.adding.adding import Adder, Candidate, Decisions
from cli.services.adding.service_files import Choices
from cli.services.adding.updating import Update, Updater
from cli.services.importing.requests import Kind, SourceRequest
from cli.terminal.console import Activities
from infra.services.catalog import ServiceSpec, load_catalog
from infra.settings.build import BuildSettings
from tests.support.foreign_registry import FakeRegistry
from toolchain.home import DyberHome


class Workshop:
    """A repository without services, and the registry that its servers come from."""

    def __init__(self, root: Path, registry: FakeRegistry) -> None:
        self.root, self.servers, self.registry = root, root / "mcp-servers", registry
        (self.servers / "kit").mkdir(parents=True)
        self._common: Any = (self.servers, DyberHome(root / "home"), Activities(), BuildSettings(), {})

    def add(self, request: SourceRequest, review: Any = lambda candidate: Decisions(), **choices: Any) -> Candidate:
        adder = Adder(*self._common)
        values = {"name": "weather", "port": 8010, "title": "天气", "internet": False, **choices}
        return adder.add(request, Choices(**values), adder.find(request), review)

    def update(self, to: str = "", review: Any = lambda update: ({}, []), upgrade: bool = False) -> list[Update]:
        """Update the service `weather`, and return the update that was shown, if there was one."""
        shown: list[Update] = []

        def reviewed(update: Update) -> Any:
            shown.append(update)
            return review(update)

        Updater(*self._common).update(self.spec, to, {}, reviewed, upgrade=upgrade)
        return shown

    @property
    def spec(self) -> ServiceSpec:
        return load_catalog(self.servers)["weather"]

    def files(self) -> dict[str, str]:
        return {
            str(path.relative_to(self.root)): path.read_text(encoding="utf-8")
            for path in sorted(self.root.rglob("*"))
            if path.is_file()
        }


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> FakeRegistry:
    made = FakeRegistry(versions={"@example/weather": ["1.0.0", "1.1.0"], "weather-py": ["2.0"]})
    made.install(monkeypatch)
    return made


@pytest.fixture
def workshop(tmp_path: Path, registry: FakeRegistry) -> Workshop:
    return Workshop(tmp_path, registry)


@pytest.fixture
def npm() -> SourceRequest:
    return SourceRequest(Kind.NPM, "@example/weather", "1.0.0")


@pytest.fixture
def pypi() -> SourceRequest:
    return SourceRequest(Kind.PYPI, "weather-py")
