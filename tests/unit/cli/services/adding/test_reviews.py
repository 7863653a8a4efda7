"""A package of a reviewed server that a user names by itself gets the review of that server."""

from __future__ import annotations

import pytest
import yaml

from cli.services.importing.requests import SourceRequest
from tests.support.foreign_registry import FakeRegistry, tool
from tests.unit.cli.services.adding.conftest import Workshop

ENTRY = {
    "title": {"zh": "天气", "en": "Weather"},
    "description": {"zh": "天气预报", "en": "Weather forecasts"},
    "internet": True,
    "reaches": ["api.example.com"],
    "memory_mib": 700,
    "source": {
        "npm": "@example/weather@1.0.0",
        "command": "weather",
        "tools": {"forecast": "read", "report": "off"},
    },
}


@pytest.fixture(autouse=True)
def reviewed(workshop: Workshop, registry: FakeRegistry) -> None:
    folder = workshop.servers / "catalog"
    folder.mkdir()
    (folder / "sky.yaml").write_text(yaml.safe_dump(ENTRY, allow_unicode=True), encoding="utf-8")
    registry.tools = {"@example/weather@1.0.0": {"forecast": tool(), "report": tool()}}


def test_a_reviewed_version_gets_its_kinds_of_tools_and_what_it_needs(workshop: Workshop, npm: SourceRequest) -> None:
    candidate = workshop.add(npm)
    spec = workshop.spec
    assert spec.source and spec.source.tools == {"forecast": "read", "report": "off"}
    assert (spec.tools, spec.memory_mib, spec.internet) == ({"forecast": True}, 700, False)
    assert "sky" in candidate.remarks[0] and "@example/weather@1.0.0" in candidate.remarks[0]


def test_another_version_gets_no_review_but_the_command_for_the_reviewed(
    workshop: Workshop, npm: SourceRequest
) -> None:
    npm.version = "1.1.0"
    candidate = workshop.add(npm)
    spec = workshop.spec
    assert spec.source and not spec.source.tools
    assert (spec.memory_mib, spec.internet) == (512, False)
    assert "./deploy.sh add-service sky" in candidate.remarks[0]


def test_tools_that_the_user_hid_stay_hidden(workshop: Workshop, npm: SourceRequest) -> None:
    npm.hidden_tools = ("forecast",)
    workshop.add(npm)
    assert workshop.spec.source and workshop.spec.source.tools["forecast"] == "off"
