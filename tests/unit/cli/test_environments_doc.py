"""The page about environments speaks of commands, rules and settings that exist, in both languages alike."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from cli.app import app
from policy.rules import RULES

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGES = ["environments.md", "environments.en.md"]


def lines(page: str) -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    return [line.split(" #")[0].strip() for line in "\n".join(blocks).splitlines() if line.strip()]


def test_both_languages_give_the_same_commands() -> None:
    assert lines(PAGES[0]) == lines(PAGES[1])


@pytest.mark.parametrize("line", [line for line in lines("environments.md") if line.startswith("./deploy.sh")])
def test_every_command_is_one_that_the_command_line_takes(line: str) -> None:
    word, *arguments = shlex.split(line)[1:]
    command = typer.main.get_command(app).commands[word]
    if word == "tools":
        word, *arguments = arguments
        command = command.commands[word]
    command.make_context(word, arguments)


@pytest.mark.parametrize("page", PAGES)
def test_every_rule_is_described_and_no_other(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    table = text.split("|---|---|\n")[-1].split("\n\n")[0]
    named = [name for row in table.splitlines() for name in re.findall(r"`([a-z-]+)`", row.split("|")[1])]
    assert sorted(named) == sorted(RULES)


@pytest.mark.parametrize(
    "words", [["tools", "lock"], ["tools", "diff"], ["release"], ["promote"], ["plan"], ["apply"]], ids=" ".join
)
def test_every_command_has_help_with_an_example(words: list[str]) -> None:
    command = typer.main.get_command(app)
    for word in words:
        command = command.commands[word]
    assert command.help
    assert f"./deploy.sh {' '.join(words)}" in command.epilog
