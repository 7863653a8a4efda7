"""`update` in real clones keeps local changes, and stops before anything changes if it cannot keep them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml

from cli.app import app
from cli.commands.machine import update as updating
from cli.system.errors import StackError

DEV = """\
# yaml-language-server: $schema=docs/stack.schema.json
# 开发 / development
config:
  dyber:profiles: [dev]
  dyber:gateway:
    openDocs: true
"""
SALT = "encryptionsalt: v1:abc=:v1:def\n"
SECRET = "  dyber:cache:\n    password:\n      secure: v1:x=\n"


class Clone:
    """A clone of a repository, and the stacks that `update` deployed from it."""

    def __init__(self, folder: Path) -> None:
        self.origin, self.root = folder / "origin", folder / "clone"
        self.deployed: list[str] = []
        self.origin.mkdir()
        git(self.origin, "init", "-q", "-b", "main")
        self.publish(**{"Pulumi.dev.yaml": DEV, "README.md": "one\n"})
        git(folder, "clone", "-q", str(self.origin), str(self.root))

    def publish(self, **files: str | None) -> None:
        """Commit a new version of the repository with these files; None deletes a file."""
        for name, text in files.items():
            if text is None:
                (self.origin / name).unlink()
            else:
                (self.origin / name).parent.mkdir(parents=True, exist_ok=True)
                (self.origin / name).write_text(text, encoding="utf-8")
        git(self.origin, "add", "--all")
        git(self.origin, "commit", "-q", "-m", "x")

    @property
    def stack_file(self) -> Path:
        return self.root / "Pulumi.dev.yaml"

    @property
    def config(self) -> dict[str, object]:
        return dict(yaml.safe_load(self.stack_file.read_text(encoding="utf-8"))["config"])

    def update(self, *options: str) -> None:
        command = typer.main.get_command(app)
        assert not command.main(["update", *(options or ("--yes",))], standalone_mode=False)

    def is_at_the_newest(self) -> bool:
        return git(self.root, "rev-parse", "HEAD") == git(self.origin, "rev-parse", "HEAD")

    def refused(self) -> StackError:
        """Return the error of an update that is refused, and check that it changed nothing."""
        before = snapshot(self.root)
        with pytest.raises(StackError) as error:
            self.update()
        assert snapshot(self.root) == before
        assert self.deployed == []
        return error.value


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    result = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return result.stdout


def snapshot(root: Path) -> dict[str, object]:
    files = {str(file.relative_to(root)): file.read_bytes() for file in root.glob("[!.]*/*") if file.is_file()}
    files |= {file.name: file.read_bytes() for file in root.iterdir() if file.is_file()}
    return {**files, "HEAD": git(root, "rev-parse", "HEAD"), "status": git(root, "status", "--porcelain")}


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    new_clone = Clone(tmp_path)
    monkeypatch.setattr(updating, "ROOT", new_clone.root)
    monkeypatch.setattr(updating, "deploy", lambda stack: new_clone.deployed.append(stack) or 0)
    monkeypatch.setenv("DYBER_LANG", "en")
    return new_clone


def test_a_clean_clone_is_brought_to_the_newest_version_and_deployed(clone: Clone) -> None:
    clone.publish(**{"README.md": "two\n"})
    clone.update("--yes", "--stack", "test")
    assert clone.is_at_the_newest()
    assert clone.deployed == ["test"]


def test_without_news_nothing_is_deployed(clone: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    clone.update()
    assert "newest" in capsys.readouterr().out
    assert clone.deployed == []


def test_the_salt_of_this_machines_passphrase_does_not_stop_an_update(clone: Clone) -> None:
    clone.stack_file.write_text(SALT + DEV, encoding="utf-8")
    clone.publish(**{"Pulumi.dev.yaml": DEV.replace("[dev]", "[dev, cache]")})
    clone.update()
    assert clone.is_at_the_newest()
    assert clone.config["dyber:profiles"] == ["dev", "cache"]
    assert git(clone.root, "status", "--porcelain") == ""


def test_a_secret_with_its_salt_and_a_setting_of_this_machine_are_kept(clone: Clone) -> None:
    clone.stack_file.write_text(SALT + DEV + SECRET + "  dyber:logLevel: debug # mine\n", encoding="utf-8")
    clone.publish(**{"Pulumi.dev.yaml": DEV.replace("openDocs: true", "openDocs: true\n    portOffset: 7")})
    clone.update()
    text = clone.stack_file.read_text(encoding="utf-8")
    assert clone.is_at_the_newest()
    assert clone.config == {
        "dyber:profiles": ["dev"],
        "dyber:gateway": {"openDocs": True, "portOffset": 7},
        "dyber:cache": {"password": {"secure": "v1:x="}},
        "dyber:logLevel": "debug",
    }
    assert SALT in text and "# mine" in text and "# 开发 / development" in text


def test_a_choice_beside_a_new_key_on_the_next_line_is_kept(clone: Clone) -> None:
    clone.stack_file.write_text(DEV.replace("[dev]", "[dev, cache]"), encoding="utf-8")
    clone.publish(**{"Pulumi.dev.yaml": DEV.replace("  dyber:gateway", "  dyber:logLevel: debug\n  dyber:gateway")})
    clone.update()
    assert clone.config["dyber:profiles"] == ["dev", "cache"]
    assert clone.config["dyber:logLevel"] == "debug"


def test_what_was_removed_here_stays_removed(clone: Clone) -> None:
    clone.stack_file.write_text(DEV.replace("  dyber:profiles: [dev]\n", ""), encoding="utf-8")
    clone.publish(**{"Pulumi.dev.yaml": DEV + "  dyber:logLevel: debug\n"})
    clone.update()
    assert clone.config == {"dyber:gateway": {"openDocs": True}, "dyber:logLevel": "debug"}


def test_the_same_change_here_and_there_is_no_conflict(clone: Clone) -> None:
    clone.stack_file.write_text(DEV.replace("[dev]", "[dev, cache]"), encoding="utf-8")
    clone.publish(**{"Pulumi.dev.yaml": DEV.replace("[dev]", "[dev, cache]") + "  dyber:logLevel: debug\n"})
    clone.update()
    assert git(clone.root, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("changed_here", "theirs", "key"),
    [
        ("  dyber:gateway:\n    openDocs: false\n", "  dyber:gateway:\n    openDocs: null\n", "gateway.openDocs"),
        ("", "  dyber:gateway:\n    openDocs: false\n", "gateway.openDocs"),
        ("  dyber:gateway: {}\n", "  dyber:gateway:\n    openDocs: true\n    debug: true\n", "gateway"),
    ],
    ids=["set differently", "removed here", "emptied here, more there"],
)
def test_the_same_key_changed_differently_is_named_and_nothing_happens(
    clone: Clone, changed_here: str, theirs: str, key: str
) -> None:
    head = DEV[: DEV.index("  dyber:gateway")]
    clone.stack_file.write_text(head + changed_here, encoding="utf-8")
    clone.publish(**{"Pulumi.dev.yaml": head + theirs})
    refused = clone.refused()
    assert f"Pulumi.dev.yaml: {key}" in refused.message
    assert "git diff" in refused.next_step


def test_the_stack_file_from_before_the_update_is_kept_too(clone: Clone) -> None:
    changed_here = DEV.replace("[dev]", "[dev, cache]")
    clone.stack_file.write_text(changed_here, encoding="utf-8")
    clone.publish(**{"Pulumi.dev.yaml": DEV + "  dyber:logLevel: debug\n"})
    clone.update()
    assert (clone.root / ".git" / updating.KEPT / "Pulumi.dev.yaml").read_text(encoding="utf-8") == changed_here


def test_if_git_refuses_the_merge_the_stack_file_is_restored(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    changed_here = DEV.replace("[dev]", "[dev, cache]")
    clone.stack_file.write_text(changed_here, encoding="utf-8")
    clone.publish(**{"Pulumi.dev.yaml": DEV + "  dyber:logLevel: debug\n"})
    ask = updating.git

    def refuse(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        if arguments[0] == "merge":
            return subprocess.CompletedProcess(arguments, 1, "", "fatal: no space left")
        return ask(root, *arguments)

    monkeypatch.setattr(updating, "git", refuse)
    with pytest.raises(StackError, match="no space left"):
        clone.update()
    assert clone.stack_file.read_text(encoding="utf-8") == changed_here


def test_a_change_in_a_file_that_the_new_version_leaves_alone_is_no_conflict(clone: Clone) -> None:
    (clone.root / "README.md").write_text("mine\n")
    clone.publish(**{"Pulumi.dev.yaml": DEV + "  dyber:logLevel: debug\n"})
    clone.update()
    assert (clone.root / "README.md").read_text() == "mine\n"
    assert clone.is_at_the_newest()


def test_another_file_that_both_changed_is_named(clone: Clone) -> None:
    (clone.root / "README.md").write_text("mine\n")
    clone.publish(**{"README.md": "two\n"})
    refused = clone.refused()
    assert "README.md" in refused.message and "stash" in refused.next_step


@pytest.mark.parametrize("ignored", [False, True], ids=["untracked", "ignored"])
def test_an_untracked_file_in_the_way_is_named_and_not_overwritten(clone: Clone, ignored: bool) -> None:
    (clone.root / "mcp-servers").mkdir()
    (clone.root / "mcp-servers" / "notes").write_text("mine\n")
    if ignored:
        (clone.root / ".git" / "info" / "exclude").write_text("notes\n")
    clone.publish(**{"mcp-servers/notes": "theirs\n"})
    refused = clone.refused()
    assert "mcp-servers/notes" in refused.message and "rename" in refused.next_step


@pytest.mark.parametrize("theirs", [None, "config:\n  dyber:logLevel: debug\n"], ids=["deleted there", "changed there"])
def test_a_stack_file_that_one_side_deleted_is_named(clone: Clone, theirs: str | None) -> None:
    if theirs is None:
        clone.stack_file.write_text(DEV + "  dyber:logLevel: debug\n", encoding="utf-8")
    else:
        clone.stack_file.unlink()
    clone.publish(**{"Pulumi.dev.yaml": theirs})
    assert "Pulumi.dev.yaml" in clone.refused().message


def test_commits_of_the_branch_are_named(clone: Clone) -> None:
    (clone.root / "README.md").write_text("mine\n")
    git(clone.root, "commit", "-qam", "changed_here")
    clone.publish(**{"README.md": "two\n"})
    assert "rebase" in clone.refused().next_step


def test_a_detached_head_is_told_to_go_to_a_branch(clone: Clone) -> None:
    git(clone.root, "checkout", "-q", "--detach")
    clone.publish(**{"README.md": "two\n"})
    refused = clone.refused()
    assert "no branch" in refused.message and "git switch main" in refused.next_step


def test_a_branch_that_follows_nothing_is_told_what_to_follow(clone: Clone) -> None:
    git(clone.root, "switch", "-qc", "own")
    assert "--set-upstream-to" in clone.refused().next_step


def test_without_a_network_the_present_version_stays(clone: Clone) -> None:
    git(clone.root, "remote", "set-url", "origin", str(clone.origin) + "-gone")
    assert "network" in clone.refused().next_step


def test_outside_a_git_clone_the_next_step_is_named(
    clone: Clone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "download").mkdir()
    monkeypatch.setattr(updating, "ROOT", tmp_path / "download")
    with pytest.raises(StackError, match="not a git clone"):
        clone.update()


def test_in_a_subfolder_of_a_repository_only_files_of_that_folder_count(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone.publish(**{"deploy/Pulumi.dev.yaml": DEV, "other.txt": "one\n"})
    clone.update()
    monkeypatch.setattr(updating, "ROOT", clone.root / "deploy")
    file = clone.root / "deploy" / "Pulumi.dev.yaml"
    file.write_text(DEV.replace("[dev]", "[dev, cache]"), encoding="utf-8")
    clone.publish(**{"deploy/Pulumi.dev.yaml": DEV + "  dyber:logLevel: debug\n", "other.txt": "two\n"})
    clone.update()
    config = yaml.safe_load(file.read_text(encoding="utf-8"))["config"]
    assert (config["dyber:profiles"], config["dyber:logLevel"]) == (["dev", "cache"], "debug")
    assert clone.is_at_the_newest()


def test_answering_no_changes_nothing(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    clone.stack_file.write_text(DEV.replace("[dev]", "[dev, cache]"), encoding="utf-8")
    clone.publish(**{"Pulumi.dev.yaml": DEV + "  dyber:logLevel: debug\n"})
    before = snapshot(clone.root)
    monkeypatch.setattr(typer, "confirm", lambda *arguments, **options: False)
    command = typer.main.get_command(app)
    assert command.main(["update"], standalone_mode=False) == 1
    assert snapshot(clone.root) == before


def test_the_new_version_is_deployed_by_the_python_outside_the_virtual_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(updating.programs, "call", commands.append)
    updating.deploy("test")
    ((python, _, *words),) = commands
    assert python in (sys.executable, getattr(sys, "_base_executable", ""))
    assert words == ["deploy", "--stack", "test"]
