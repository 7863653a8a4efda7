"""`update-service` shows all differences as one list, and changes nothing unless it is approved."""

from __future__ import annotations

import pytest
import typer

from cli.system.errors import StackError
from infra.services.catalog import load_catalog
from tests.support.foreign_registry import tool
from tests.unit.cli.commands.settings.foreign.conftest import POISON, Dyber, Repository


def test_an_update_is_one_list_of_differences_and_a_second_one_changes_nothing(
    dyber: Dyber, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    new = "@example/weather@1.1.0"
    repository.registry.tools = {new: {"forecast": tool("Tells the weather of a week"), "alerts": tool()}}
    repository.registry.dependencies = {new: {"left": "1.0.0"}}
    repository.registry.scripts = {new: ("left",)}
    dyber("add-service", "--from", "npm:@example/weather@1.0.0", "--yes")
    before = repository.texts()
    capsys.readouterr()
    assert dyber("update-service", "weather", answers="n\n") == 1
    shown = capsys.readouterr().out
    for words in (
        "@example/weather@1.0.0 → @example/weather@1.1.0",
        "left 1.0.0",
        "never run here: left",
        "alerts",
        "S01",
    ):
        assert words in shown
    assert repository.texts() == before
    assert dyber("update-service", "weather", "--yes", "--read", "alerts") == 0
    spec = load_catalog(repository.servers)["weather"]
    assert spec.source and (spec.source.npm, spec.source.tools) == (new, {"alerts": "read"})
    assert dyber("update-service", "weather", "--yes") == 0
    assert "No changes" in capsys.readouterr().out


def test_an_update_that_poisons_a_tool_is_stopped(dyber: Dyber, repository: Repository) -> None:
    repository.registry.tools = {"@example/weather@1.1.0": {"forecast": tool(POISON)}}
    dyber("add-service", "--from", "npm:@example/weather@1.0.0", "--yes")
    before = repository.texts()
    assert dyber("update-service", "weather", "--yes") == 1
    assert repository.texts() == before


def test_an_update_shows_the_texts_of_a_changed_prompt(
    dyber: Dyber, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.registry.others = {
        f"@example/weather@1.{number}.0": {"prompts": {"plan-trip": {"description": text}}}
        for number, text in enumerate(("Plan a trip", "Plan a long trip"))
    }
    dyber("add-service", "--from", "npm:@example/weather@1.0.0", "--yes")
    capsys.readouterr()
    assert dyber("update-service", "weather", "--yes") == 0
    shown = capsys.readouterr().out
    assert "plan-trip: prompt changed" in shown and "- Plan a trip" in shown and "+ Plan a long trip" in shown


def test_a_service_without_a_source_has_nothing_to_update(dyber: Dyber, repository: Repository) -> None:
    dyber("add-service", "--from", "npm:@example/weather", "--yes")
    own = repository.servers / "own"
    (own / "own_server").mkdir(parents=True)
    (own / "own_server" / "__main__.py").write_text("")
    (own / "service.yaml").write_text("title: Own\nport: 8050\npackage: own_server\n")
    with pytest.raises(StackError, match="no source") as refused:
        dyber("update-service", "own", "--yes")
    assert "weather" in refused.value.next_step
    with pytest.raises(typer.BadParameter, match="weather"):
        dyber("update-service", "unknown", "--yes")
