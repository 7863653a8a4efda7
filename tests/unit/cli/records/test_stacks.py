"""Each deployment tells the consoles of the other stacks what its stack runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from cli.records import history, stacks
from infra.settings.stack import StackSettings

SECRET = "s3cret-of-the-stack"


@dataclass
class Place:
    """The files of a console, in memory."""

    stack: str
    deployment: str
    stored: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def store_stack(self, stack: str, files: Mapping[str, str]) -> None:
        self.stored[stack] = files


class Deployed:
    """A deployed stack `test`."""

    name = "test"
    settings = StackSettings.model_validate(
        {"stack": "test", "services": {"github": {"enabled": True, "secrets": {"GITHUB_TOKEN": SECRET}}}}
    )

    def deployment_id(self) -> str:
        return "b"

    def outputs(self) -> dict[str, Any]:
        names = [spec.name for spec in self.settings.select(load())]
        return {"images": {name: f"registry.example/{name}@sha256:1" for name in names}}


def load() -> Any:
    from cli.system.checkout import ROOT
    from infra.services.catalog import load_catalog

    return load_catalog(ROOT / "mcp-servers")


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> list[Place]:
    """The consoles of the engine: of two other stacks, of this one, and of another checkout's stack of its name."""
    known = [Place("dev", "a"), Place("prod", "c"), Place("test", "b"), Place("test", "elsewhere")]
    monkeypatch.setattr(history, "find", lambda **conditions: known)
    return known


def test_the_consoles_of_other_stacks_are_told_without_secrets(places: list[Place]) -> None:
    stacks.tell(Deployed())  # type: ignore[arg-type]
    dev, prod, *same = places
    document = json.loads(dev.stored["test"]["deployment.json"])
    assert document["stack"] == "test" and document["services"]["github"]["digest"] == "sha256:1"
    assert datetime.fromisoformat(document["deployed_at"]).tzinfo is not None
    assert "contracts/github.json" in dev.stored["test"]
    assert SECRET not in "".join(dev.stored["test"].values())
    assert prod.stored == dev.stored
    assert [place.stored for place in same] == [{}, {}]


def test_a_stack_that_is_gone_is_forgotten(places: list[Place]) -> None:
    stacks.forget("test")
    assert [place.stored for place in places] == [{"test": {}}, {"test": {}}, {}, {}]
