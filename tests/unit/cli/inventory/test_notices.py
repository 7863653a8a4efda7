"""Sentences say which services cannot be used as they are, and what would change that."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.inventory import notices
from infra.services.catalog import ServiceSpec
from infra.services.source import Source
from infra.settings.stack import StackSettings

NPM = Source.model_validate({"npm": "amap@1.0.0", "command": "amap"})


def service(tools: dict[str, bool], source: Source | None = NPM) -> ServiceSpec:
    spec = ServiceSpec.model_validate(
        {"name": "amap", "folder": Path("amap"), "title": "高德", "port": 8010, "source": NPM.model_dump()}
    )
    return spec.model_copy(update={"tools": tools, "source": source})


def test_a_service_of_which_agents_see_no_tool_says_what_to_write() -> None:
    (line,) = notices.wholly_hidden(StackSettings(stack="test"), [service({"maps_geo": False, "maps_ip": False})])
    assert "2" in line and "mcp-servers/amap/service.yaml" in line and "maps_geo: read" in line
    assert "./deploy.sh config set services.amap.environment.DYBER_READ_ONLY false -s test" in line


@pytest.mark.parametrize(
    "spec",
    [service({"maps_geo": True, "maps_ip": False}), service({}), service({"a": False}, source=None)],
    ids=["some are seen", "has none", "its own code says what writes"],
)
def test_other_services_say_nothing(spec: ServiceSpec) -> None:
    assert not list(notices.wholly_hidden(StackSettings(stack="test"), [spec]))


def test_a_stack_that_lets_the_service_write_says_nothing() -> None:
    services = {"amap": {"environment": {"DYBER_READ_ONLY": "false"}}}
    settings = StackSettings.model_validate({"stack": "test", "services": services})
    assert not list(notices.wholly_hidden(settings, [service({"maps_geo": False})]))
