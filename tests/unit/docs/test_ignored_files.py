"""Git ignores the files that commands write by default, and those that the documentation says to write."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import typer

from cli.app import app
from cli.commands.deployment.plan import COMMENT
from cli.recovery.archive import draft_of
from cli.services.removal import REMOVED

REPOSITORY = Path(__file__).resolve().parents[3]
PAGES = sorted(
    page for pattern in ("README*.md", "docs/*.md", "mcp-servers/*/README.md") for page in REPOSITORY.glob(pattern)
)
#: The words of a command before the name of a file or folder that it writes.
WRITTEN = re.compile(
    r"(?:(?<=\s)>{1,2}|--out|--markdown|--backup|deploy\.sh backup|apply)\s+([A-Za-z0-9._-][A-Za-z0-9._/-]*)"
)
CLIENT_FILES = re.compile(r"^\| `[a-z-]+` \| `([^`~]*\.[^`~]+)`", re.MULTILINE)
#: The names of temporary files that commands write beside the real ones.
DRAFTS = [".Pulumi.dev.yaml.x1y2", ".Pulumi.test.yaml.abc", "..env.x1y2", "..env.test.x1y2", ".env", ".env.prod"]


def commands() -> dict[str, list[str]]:
    """Return the commands in the documentation and in the help, by place."""
    lines_by_place = {}
    for page in PAGES:
        blocks = re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        lines_by_place[str(page.relative_to(REPOSITORY))] = [
            line.split(" #")[0] for block in blocks for line in block.splitlines()
        ]
    group = typer.main.get_command(app)
    for name, command in group.commands.items():
        below = getattr(command, "commands", {"": command})
        epilogs = [re.sub(r"\[/?cyan\]", "", item.epilog or "") for item in below.values()]
        lines_by_place[f"help {name}"] = [line for text in epilogs for line in text.splitlines()]
    return lines_by_place


def written() -> list[tuple[str, str]]:
    """Return (place in the documentation, file) of everything that commands write into the current folder."""
    files = {
        (where, match[1])
        for where, lines in commands().items()
        for line in lines
        if "add-service" not in line
        for match in WRITTEN.finditer(line)
    }
    for page in ("docs/commands.md", "docs/commands.en.md"):
        files |= {(page, name) for name in CLIENT_FILES.findall((REPOSITORY / page).read_text(encoding="utf-8"))}
    return sorted(files)


def defaults() -> list[tuple[str, str]]:
    """Return (command, value) of each option that names a file or folder and has a default."""
    group = typer.main.get_command(app)
    return [
        (name, str(option.default))
        for name, command in group.commands.items()
        for item in getattr(command, "commands", {"": command}).values()
        for option in item.params
        if isinstance(option.default, Path)
    ]


def is_ignored(name: str) -> bool:
    done = subprocess.run(["git", "check-ignore", "--quiet", "--no-index", name], cwd=REPOSITORY, check=False)
    return done.returncode == 0


def test_the_documentation_tells_of_files_that_commands_write() -> None:
    names = {name for _, name in written()}
    assert {"dyber.tar.age", "plans", "release.json", ".mcp.json", "dev.state.json", "new-passphrase"} <= names
    assert ("plan", "plans") in defaults()


@pytest.mark.parametrize(("where", "name"), [*written(), *defaults()])
def test_git_ignores_it(where: str, name: str) -> None:
    # Git ignores a folder by ignoring the files in it.
    assert is_ignored(name) or is_ignored(f"{name}/x"), f"{where}: {name}"


@pytest.mark.parametrize(
    "name",
    [*DRAFTS, str(draft_of(Path("mine.tar.age"))), "mine.backup", f"plans/{COMMENT}", COMMENT, "plans/test.plan.json",
     f"{REMOVED}/weibo/x", "drift.md", "before.dyber", "a.pem", "a.key", ".venv.lock", "state-copies/test.json"],
)  # fmt: skip
def test_git_ignores_what_commands_leave_behind(name: str) -> None:
    assert is_ignored(name)


def test_nothing_that_is_tracked_is_ignored() -> None:
    command = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    assert subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout == ""


def test_no_committed_stack_file_has_the_salt_of_a_passphrase() -> None:
    """A clone with another machine's salt cannot be deployed: the new passphrase does not fit to it."""
    command = ["git", "grep", "--cached", "--name-only", "^encryptionsalt", "--", "Pulumi.*.yaml"]
    searched = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (searched.returncode, searched.stdout, searched.stderr) == (1, "", "")
