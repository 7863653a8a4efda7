"""`add-service` adds reviewed servers by their names."""

from __future__ import annotations

import shutil

import pytest
import typer

from cli.commands.settings import services
from infra.services.catalog import load_catalog
from tests.unit.cli.commands.settings.foreign.conftest import Dyber, Repository
from tests.unit.cli.commands.settings.test_add_service import Terminal

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


def test_a_name_that_is_nearly_a_reviewed_one_makes_no_service_by_mistake(
    dyber: Dyber, reviewed: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(services.ROOT / "mcp-servers" / "template", reviewed.servers / "template")
    for options in ((), ("--yes",)):
        with pytest.raises(typer.BadParameter, match="weather.*add-service weather1 --kind plain"):
            dyber("add-service", "weather1", *options)
    with pytest.raises(typer.BadParameter, match="very like template"):
        dyber("add-service", "template1")
    monkeypatch.setattr(Terminal, "isatty", lambda self: True)
    assert dyber("add-service", "weather1", answers="n\n") == 1
    assert reviewed.names == ["template"]
    assert dyber("add-service", "weather1", answers="y\n") == 0
    assert dyber("add-service", "weathers", "--kind", "plain") == 0
    assert reviewed.names == ["template", "weather1", "weathers"]


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("weather", "--with", "x"), "--with"),
        (("weather", "--no-internet"), "--no-internet"),
        (("weather", "--set", "A=b", "--bin", "x"), "--bin, --set"),
        (("own", "--internet"), "--internet"),
        (("own", "--kind", "api", "--secret", "A"), "--secret"),
        (("--from", "npm:sky", "--package", "2"), "--package"),
        (("--from", "npm:sky", "--with", "x"), "--with"),
        (("--from", "go:example.org/m/cmd/x@v1.2.3", "--bin", "x"), "--bin"),
        (("--import", "mcp.json", "--title", "x"), "--title"),
    ],
)
def test_options_without_an_effect_are_refused(
    dyber: Dyber, reviewed: Repository, arguments: tuple[str, ...], option: str
) -> None:
    with pytest.raises(typer.BadParameter, match=f"no effect.*: {option}$"):
        dyber("add-service", *arguments, "--yes")
    assert reviewed.names == []


@pytest.mark.parametrize(
    "arguments", [("weather", "--title", "x"), ("--from", "npm:sky", "--title", "x", "--internet")]
)
def test_options_that_change_nothing_at_a_service_that_is_there_are_told(
    dyber: Dyber, reviewed: Repository, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert dyber("add-service", *arguments, "--yes") == 0
    capsys.readouterr()
    assert dyber("add-service", *arguments, "--yes") == 0
    assert "These options changed nothing: --title" in capsys.readouterr().err
