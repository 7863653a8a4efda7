"""`add-service --import` adds the servers of a client's configuration, and shows no secret anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from cli.commands.settings import foreign_services
from cli.configuration import config_secrets
from cli.system.errors import StackError
from cli.terminal.usage import INTERRUPTED
from infra.services.catalog import load_catalog
from tests.support.foreign_registry import tool
from tests.unit.cli.commands.settings.foreign.conftest import SECRET, STARS, WEATHER, Dyber, Repository


def test_an_import_stores_secrets_in_the_stack_and_in_no_file_or_output(
    dyber: Dyber, repository: Repository, capfd: pytest.CaptureFixture[str]
) -> None:
    file = repository.client_file(("weather", WEATHER), ("stars", STARS))
    assert dyber("add-service", "--import", file, "--yes") == 0
    assert repository.names == ["weather", "stars"]
    assert repository.stored == {"services.weather.secrets.WEATHER_API_KEY": SECRET}
    shown = capfd.readouterr()
    assert SECRET not in shown.out + shown.err + repository.texts()
    home = Path(repository.root.parent / "home")
    assert all(SECRET not in path.read_text() for path in home.rglob("*.log"))


def test_an_import_is_one_table_and_what_cannot_be_added_costs_the_others_nothing(
    dyber: Dyber, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    file = repository.client_file(
        ("weather", WEATHER),
        ("Weather!", STARS),
        ("script", {"command": "node", "args": ["/x/index.js"]}),
        ("unknown", {"command": "npx", "args": ["@example/unknown"]}),
        ("sky", {"command": "npx", "args": ["sky"], "disabled": True}),
    )
    assert dyber("add-service", "--import", file, "--yes") == 1
    assert repository.names == ["weather", "sky"]
    assert load_catalog(repository.servers)["sky"].profile == "sky"
    shown = capsys.readouterr()
    assert "npm: @example/weather@1.0.0" in shown.out and "WEATHER_API_KEY" in shown.out
    assert "the name weather is that of weather too" in shown.err
    assert "node runs a script" in shown.err and "npm does not know" in shown.err


def test_an_entry_with_a_missing_value_costs_the_others_nothing(
    dyber: Dyber, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    database = {"command": "npx", "args": ["sky"], "env": {"DB_HOST": "YOUR_HOST"}}
    file = repository.client_file(("database", database), ("stars", STARS))
    assert dyber("add-service", "--import", file, "--yes") == 1
    assert repository.names == ["stars"]
    shown = capsys.readouterr().err
    assert "database: values are missing" in shown and "--set DB_HOST=…" in shown and "YOUR_HOST" in shown
    assert dyber("add-service", "--import", file, "--yes", "--set", "DB_HOST=db") == 0
    assert load_catalog(repository.servers)["database"].environment == {"DB_HOST": "db"}


def test_an_import_ends_with_what_became_of_each_entry_and_the_next_commands(
    dyber: Dyber, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    file = repository.client_file(
        ("weather", WEATHER),
        ("script", {"command": "node", "args": ["/x/index.js"]}),
        ("unknown", {"command": "npx", "args": ["@example/unknown"]}),
    )
    assert dyber("add-service", "--import", file, "--yes") == 1
    shown = capsys.readouterr()
    table = shown.out.rpartition("entry")[2]
    for entry, words in (("weather", "added"), ("script", "node runs a script"), ("unknown", "npm does not know")):
        assert any(line.startswith(entry) and words in line for line in table.splitlines()), (entry, table)
    assert "Next: ./deploy.sh\n" in table
    assert f"./deploy.sh add-service --import {file}" in shown.err.splitlines()[-1]


def test_the_next_command_has_the_stack_the_entry_and_the_acceptances(
    dyber: Dyber, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    file = repository.client_file(("unknown", {"command": "npx", "args": ["@example/unknown"]}))
    arguments = ["--import", file, "unknown", "--accept", "S06=reviewed by hand", "-s", "test", "--yes"]
    assert dyber("add-service", *arguments) == 1
    expected = f"./deploy.sh add-service --import {file} unknown --accept 'S06=reviewed by hand' -s test"
    assert expected in capsys.readouterr().err.splitlines()[-1]


def test_ctrl_c_at_a_question_ends_the_import(
    dyber: Dyber, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise typer.Exit(INTERRUPTED)

    monkeypatch.setattr(foreign_services, "_add_one", interrupted)
    file = repository.client_file(("weather", WEATHER), ("stars", STARS))
    assert dyber("add-service", "--import", file, "--yes") == INTERRUPTED


def test_tools_that_one_server_lacks_cost_the_others_nothing(dyber: Dyber, repository: Repository) -> None:
    repository.registry.tools["sky@1.0.0"] = {"stars": tool()}
    file = repository.client_file(("sky", {"command": "npx", "args": ["sky"]}), ("stars", STARS))
    assert dyber("add-service", "--import", file, "--yes", "--read", "forecast") == 1
    assert repository.names == ["stars"]


def test_a_second_import_changes_nothing(
    dyber: Dyber, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    file = repository.client_file(("weather", WEATHER), ("stars", STARS))
    dyber("add-service", "--import", file, "--yes")
    before = repository.texts()
    assert dyber("add-service", "--import", file, "--yes") == 0
    assert "No changes" in capsys.readouterr().out
    assert repository.texts() == before


def test_an_import_asks_before_it_adds_anything(dyber: Dyber, repository: Repository) -> None:
    file = repository.client_file(("stars", STARS))
    assert dyber("add-service", "--import", file, "--no-internet", answers="n\n") == 1
    assert (repository.names, repository.registry.asked) == ([], [])
    assert dyber("add-service", "--import", file, "--no-internet", answers="y\n\n") == 0
    assert repository.names == ["stars"]


def test_one_server_of_a_configuration_can_be_imported(dyber: Dyber, repository: Repository) -> None:
    file = repository.client_file(("weather", WEATHER), ("stars", STARS))
    assert dyber("add-service", "stars", "--import", file, "--yes") == 0
    assert repository.names == ["stars"]
    with pytest.raises(typer.BadParameter, match="weather, stars"):
        dyber("add-service", "moon", "--import", file, "--yes")


def test_a_service_whose_secret_cannot_be_stored_is_not_added(
    dyber: Dyber, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(stack: str, root: Path, key: str, value: str) -> None:
        repository.stack_file.write_text("half written")
        raise StackError("no passphrase", "set it")

    monkeypatch.setattr(config_secrets, "store", fail)
    before = repository.texts()
    assert dyber("add-service", "--import", repository.client_file(("weather", WEATHER)), "--yes") == 1
    assert repository.names == []
    assert repository.texts() == before


def test_a_file_that_is_not_there_is_refused(dyber: Dyber, repository: Repository) -> None:
    with pytest.raises(StackError, match=r"mcp\.json"):
        dyber("add-service", "--import", "/nowhere/mcp.json")
