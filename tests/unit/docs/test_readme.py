"""The commands, files and settings in the documentation exist, and are the same in both languages."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from cli.app import app
from cli.entry import with_command_word
from infra.rendering.clients.formats import FORMATS
from infra.settings import env_file

REPOSITORY = Path(__file__).resolve().parents[3]
READMES = ["README.md", "README.en.md"]
PAIRS = [
    ("README.md", "README.en.md"),
    ("docs/commands.md", "docs/commands.en.md"),
    ("docs/hub.md", "docs/hub.en.md"),
    ("docs/console.md", "docs/console.en.md"),
    ("docs/gateway.md", "docs/gateway.en.md"),
    ("docs/calling.md", "docs/calling.en.md"),
    ("docs/environments.md", "docs/environments.en.md"),
    ("docs/monitoring.md", "docs/monitoring.en.md"),
    ("docs/settings.md", "docs/settings.en.md"),
    ("docs/recovery.md", "docs/recovery.en.md"),
    ("docs/behind-your-own-proxy.md", "docs/behind-your-own-proxy.en.md"),
    ("docs/state.md", "docs/state.en.md"),
    ("CONTRIBUTING.md", "CONTRIBUTING.en.md"),
]
#: Commands that have subcommands.
GROUPS = ["token", "tools", "config"]
PAGES = [page for pair in PAIRS for page in pair]
SEED_COMMANDS = """
./deploy.sh
./deploy.sh deploy
./deploy.sh --dev
./deploy.sh --full
./deploy.sh --services "xiaohongshu-mcp api-gateway"
./deploy.sh --profile cache
./deploy.sh start
./deploy.sh stop
./deploy.sh restart
./deploy.sh status
./deploy.sh ps
./deploy.sh logs
./deploy.sh logs xiaohongshu-mcp
./deploy.sh list
./deploy.sh add-service
./deploy.sh clean
./deploy.sh --services "your-service-mcp"
./deploy.sh --profile monitoring
./deploy.sh logs service-name
./deploy.sh deploy --no-cache
""".strip().splitlines()


def commands(readme: str) -> list[str]:
    """Return the lines of the bash blocks, without comments."""
    text = (REPOSITORY / readme).read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"```bash\n(.*?)```", text, re.DOTALL)).replace("\\\n", " ")
    return [line.split(" #")[0].strip() for line in blocks.splitlines() if line.strip()]


@pytest.mark.parametrize(("chinese", "english"), PAIRS)
def test_both_languages_give_the_same_commands(chinese: str, english: str) -> None:
    texts = [[re.sub(r'"message": "[^"]*"', "", line) for line in commands(page)] for page in (chinese, english)]
    assert texts[0] == texts[1]
    assert texts[0]


@pytest.mark.parametrize("page", ["docs/console.md", "docs/console.en.md"])
def test_deleting_the_consoles_records_leaves_the_stack(page: str) -> None:
    told = commands(page)
    deletion = told.index("./deploy.sh clean --unused-data")
    # The volume is in use until a deployment without the console.
    assert told[deletion - 2 : deletion] == ["./deploy.sh config set console.enabled false", "./deploy.sh"]
    assert not [line for line in told if line.startswith("./deploy.sh clean") and "--unused-data" not in line]


ON_PAGES = [line for chinese, _ in PAIRS for line in commands(chinese) if line.startswith("./deploy.sh")]
IN_TABLES = [
    re.sub(r"（.*|; only.*", "", line).replace("\\|", "|").split(" |")[0]
    for line in re.findall(r"`(\./deploy\.sh [^`…<]+)`", (REPOSITORY / "docs/commands.md").read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("line", sorted({*ON_PAGES, *IN_TABLES, *SEED_COMMANDS}))
def test_every_deploy_command_is_one_that_the_command_line_takes(line: str, tmp_path: Path) -> None:
    arguments = shlex.split(line.split(" >")[0])[1:]
    for word in ("restore", "--backup"):
        if word in arguments and arguments[0] != "clean":
            file = arguments.index(word) + 1
            (tmp_path / arguments[file]).touch()
            arguments[file] = str(tmp_path / arguments[file])
    group = typer.main.get_command(app)
    words = with_command_word(arguments)
    command = group.commands[words[0]]
    if words[0] in GROUPS:
        command, words = command.commands[words[1]], words[1:]
    # Parsing checks options and arguments without running the command.
    command.make_context(words[0], words[1:])


@pytest.mark.parametrize("page", PAGES)
def test_every_linked_file_is_there(page: str) -> None:
    file = REPOSITORY / page
    links = re.findall(r"\]\((?!http)([^)#]+)\)", file.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (file.parent / link).exists()] == []


@pytest.mark.parametrize("page", READMES)
def test_the_picture_at_the_top_has_what_stands_behind_the_gateway(page: str) -> None:
    from infra.services.ports import CONSOLE_PORT, HUB_PORT

    picture = (REPOSITORY / page).read_text(encoding="utf-8").split("```")[1]
    assert f"── hub:{HUB_PORT} " in picture and f"── console:{CONSOLE_PORT} " in picture


@pytest.mark.parametrize("page", ["docs/commands.md", "docs/commands.en.md"])
def test_every_command_key_and_format_is_described(page: str) -> None:
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    group = typer.main.get_command(app).commands
    words = [name for name in group if name not in ("deploy", "remove-service", *GROUPS)]
    words += [
        f"{word} {name}"
        for word in GROUPS
        for name, subcommand in group[word].commands.items()
        if not subcommand.hidden
    ]
    assert [word for word in words if f"./deploy.sh {word}" not in text] == []
    assert [key for key in env_file.keys({"xiaohongshu": [], "template": []}) if f"`{key}`" not in text] == []
    assert [name for name in FORMATS if f"`{name}`" not in text] == []


def test_the_settings_named_in_the_readme_exist() -> None:
    from infra.settings.stack import StackSettings

    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    named = re.findall(
        r"^\| `(gateway\.\w+|profiles|clients|services\.<名字>|dataRetention|logLevel)` \|", text, re.MULTILINE
    )
    assert len(named) == 11
    aliases = {field.alias: field.annotation for field in StackSettings.model_fields.values()}
    for name in named:
        key, _, nested = name.partition(".")
        assert key in aliases
        if key == "gateway":
            assert nested in {field.alias for field in aliases[key].model_fields.values()}
