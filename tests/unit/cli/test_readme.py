"""The READMEs speak of commands and files that exist, and both of the same ones."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from cli.app import app
from cli.entry import with_command_word

REPOSITORY = Path(__file__).resolve().parents[3]
READMES = ["README.md", "README.en.md"]


def commands(readme: str) -> list[str]:
    """The lines of the bash blocks, without comments."""
    text = (REPOSITORY / readme).read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"```bash\n(.*?)```", text, re.DOTALL)).replace("\\\n", " ")
    return [line.split(" #")[0].strip() for line in blocks.splitlines() if line.strip()]


def test_both_languages_give_the_same_commands() -> None:
    chinese, english = ([re.sub(r'"message": "[^"]*"', "", line) for line in commands(readme)] for readme in READMES)
    assert chinese == english
    assert len(chinese) > 10


@pytest.mark.parametrize("line", [line for line in commands("README.md") if line.startswith("./deploy.sh")])
def test_every_deploy_command_is_one_that_the_command_line_takes(line: str) -> None:
    arguments = shlex.split(line.split(" >")[0])[1:]
    group = typer.main.get_command(app)
    words = with_command_word(arguments)
    command = group.commands[words[0]]
    if words[0] == "token":
        command, words = command.commands[words[1]], words[1:]
    # Parsing checks options and arguments, and runs nothing.
    command.make_context(words[0], words[1:])


@pytest.mark.parametrize("readme", READMES)
def test_every_linked_file_is_there(readme: str) -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", (REPOSITORY / readme).read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (REPOSITORY / link).exists()] == []


def test_the_settings_named_in_the_readme_exist() -> None:
    from stack.settings import StackSettings

    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `(gateway\.\w+|profiles|clients|services\.<名字>|dataRetention|logLevel)` \|", text, re.M)
    assert len(named) == 11
    aliases = {field.alias: field.annotation for field in StackSettings.model_fields.values()}
    for name in named:
        key, _, nested = name.partition(".")
        assert key in aliases
        if key == "gateway":
            assert nested in {field.alias for field in aliases[key].model_fields.values()}
