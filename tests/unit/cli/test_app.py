"""The list of commands is printed without importing them, and gives each command its name and short help."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.app import LISTED, load

REPOSITORY = Path(__file__).resolve().parents[3]
#: Commands whose own help page says more than the list.
WITH_LONGER_HELP = {"deploy"}
LISTED_HELP = "Show the health, version, usage, tools and last error of each service"
SHOW_LIST = """
import sys
from cli import entry
sys.argv = ["deploy.sh", "--help"]
try:
    entry.main()
except SystemExit as ended:
    assert not ended.code
loaded = [name for name in sys.modules if name.startswith("cli.commands.") or name in ("pulumi", "docker", "httpx2")]
assert loaded == [], loaded
"""


def run(code: str, language: str) -> str:
    environment = {**os.environ, "DYBER_LANG": language, "PYTHONIOENCODING": "utf-8", "COLUMNS": "200"}
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_list_of_commands_imports_none_of_them() -> None:
    shown = run(SHOW_LIST, "en")
    assert LISTED_HELP in shown
    assert "Clients' tokens" in shown


@pytest.mark.parametrize("name", LISTED)
def test_a_command_gets_its_name_and_short_help_from_the_list(name: str) -> None:
    command = load(name)
    assert (command.name, command.short_help) == (name, LISTED[name].help)
    assert command.help and (command.help == LISTED[name].help or name in WITH_LONGER_HELP)


def test_the_help_page_of_a_command_begins_with_its_help_in_the_list() -> None:
    assert LISTED_HELP in run(SHOW_LIST.replace('"--help"', '"help", "status"').split("loaded =")[0], "en")


def test_every_command_of_a_module_is_listed_and_repeats_nothing_of_the_list() -> None:
    for module in {item.target.split(":")[0] for item in LISTED.values()}:
        application = getattr(importlib.import_module(f"cli.commands.{module}"), "commands", None)
        for info in application.registered_commands if application else ():
            target = f"{module}:{info.callback.__name__}"
            (name,) = [name for name, item in LISTED.items() if item.target == target]
            assert (info.name, info.short_help) == (None, None), target
            assert info.help is None or name in WITH_LONGER_HELP, target


def test_every_module_with_commands_is_listed() -> None:
    folder = REPOSITORY / "cli" / "commands"
    modules = {
        ".".join(file.relative_to(folder).with_suffix("").parts)
        for file in folder.rglob("*.py")
        if "typer.Typer(" in file.read_text("utf-8")
    }
    assert {item.target.split(":")[0] for item in LISTED.values()} == modules
