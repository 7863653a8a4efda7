"""`add-service` adds reviewed servers by their names."""

from __future__ import annotations

import shutil

import pytest

from cli.commands.settings import services
from infra.services.catalog import load_catalog
from tests.unit.cli.commands.settings.foreign.conftest import Dyber, Repository

REVIEWED = """\
title: {zh: 天气, en: Weather}
description: {zh: 天气预报, en: The weather forecast}
needs: {zh: 天气网的密钥, en: A key of the weather site}
caution: {zh: 城市名会发给它, en: It gets the names of cities}
internet: true
reaches: [weather.example.com]
secrets: {WEATHER_KEY: required}
source:
  npm: "@example/weather@1.0.0"
  command: weather
  tools: {forecast: read}
"""


@pytest.fixture
def reviewed(repository: Repository) -> Repository:
    (repository.servers / "catalog").mkdir()
    (repository.servers / "catalog" / "weather.yaml").write_text(REVIEWED, encoding="utf-8")
    return repository


def test_a_reviewed_server_is_added_by_its_name_as_it_was_reviewed(
    dyber: Dyber, reviewed: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dyber("add-service", "weather", "--yes") == 0
    spec = load_catalog(reviewed.servers)["weather"]
    assert spec.source
    assert (spec.source.npm, spec.source.tools) == ("@example/weather@1.0.0", {"forecast": "read"})
    assert (spec.title, spec.internet, spec.secrets) == ("Weather", True, {"WEATHER_KEY": "required"})
    shown = capsys.readouterr()
    assert "A key of the weather site" in shown.err and "It gets the names of cities" in shown.err
    assert "config set services.weather.secrets.WEATHER_KEY --secret" in shown.out
    assert dyber("add-service", "weather", "--yes") == 0
    assert "No changes" in capsys.readouterr().out


def test_the_wizard_adds_a_reviewed_server_by_its_name(dyber: Dyber, reviewed: Repository) -> None:
    assert dyber("add-service", answers="weather\n8100\n") == 0
    spec = load_catalog(reviewed.servers)["weather"]
    assert spec.source and spec.port == 8100


def test_with_a_kind_the_name_of_a_reviewed_server_is_that_of_a_new_service(dyber: Dyber, reviewed: Repository) -> None:
    shutil.copytree(services.ROOT / "mcp-servers" / "template", reviewed.servers / "template")
    assert dyber("add-service", "weather", "--kind", "plain") == 0
    assert load_catalog(reviewed.servers)["weather"].package == "weather_server"
