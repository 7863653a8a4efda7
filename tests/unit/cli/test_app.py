"""The list of commands says of each what the command itself says, and takes none of them to print."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
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
COMPARE = """
import json
from cli.app import LISTED, load
said = {name: load(name) for name in LISTED}
print(json.dumps({name: [LISTED[name].help, command.short_help or command.help] for name, command in said.items()}))
"""


def run(code: str, language: str) -> str:
    environment = {**os.environ, "DYBER_LANG": language, "PYTHONIOENCODING": "utf-8", "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_list_of_commands_imports_none_of_them() -> None:
    shown = run(SHOW_LIST, "en")
    assert "Health, version, usage, tools and last error of each service" in shown
    assert "Clients' tokens" in shown


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_list_says_what_each_command_says_of_itself(language: str) -> None:
    said = json.loads(run(COMPARE, language))
    assert len(said) > 30
    assert {name: texts for name, texts in said.items() if texts[0] != texts[1]} == {}


def test_every_module_with_commands_is_listed() -> None:
    from cli.app import LISTED

    folder = REPOSITORY / "cli" / "commands"
    modules = {
        ".".join(file.relative_to(folder).with_suffix("").parts)
        for file in folder.rglob("*.py")
        if "typer.Typer(" in file.read_text("utf-8")
    }
    assert {item.module for item in LISTED.values()} == modules
