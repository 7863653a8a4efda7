"""The salt of this machine's passphrase is removed from tracked stack files, except where it is needed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from cli import entry
from cli.stack_files import salts
from cli.stack_files.salts import remove_from_tracked_files
from cli.system import programs

TRACKED = "# dev / 开发\nconfig:\n  dyber:profiles: [dev] # who\n"
SALT = "encryptionsalt: v1:abc=:v1:def\n"
SECRET = "  dyber:cache:\n    password:\n      secure: v1:x=\n"


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    result = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return result.stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.dev.yaml").write_text(TRACKED, encoding="utf-8")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "x")
    return tmp_path


@pytest.mark.parametrize("text", [SALT + TRACKED, TRACKED + SALT], ids=["first", "last"])
def test_the_clone_is_clean_again(clone: Path, text: str) -> None:
    (clone / "Pulumi.dev.yaml").write_text(text, encoding="utf-8")
    assert remove_from_tracked_files(clone) == ["Pulumi.dev.yaml"]
    assert git(clone, "status", "--porcelain") == ""
    assert remove_from_tracked_files(clone) == []


def test_a_change_of_the_user_stays(clone: Path) -> None:
    (clone / "Pulumi.dev.yaml").write_text(SALT + TRACKED + "  dyber:logLevel: debug\n", encoding="utf-8")
    remove_from_tracked_files(clone)
    assert (clone / "Pulumi.dev.yaml").read_text(encoding="utf-8") == TRACKED + "  dyber:logLevel: debug\n"


def test_a_salt_that_encrypted_values_need_stays(clone: Path) -> None:
    text = SALT + TRACKED + SECRET
    (clone / "Pulumi.dev.yaml").write_text(text, encoding="utf-8")
    assert remove_from_tracked_files(clone) == []
    assert (clone / "Pulumi.dev.yaml").read_text(encoding="utf-8") == text


def test_a_salt_that_was_committed_stays(clone: Path) -> None:
    (clone / "Pulumi.dev.yaml").write_text(SALT + TRACKED, encoding="utf-8")
    git(clone, "commit", "-qam", "shared by a team")
    assert remove_from_tracked_files(clone) == []
    assert git(clone, "status", "--porcelain") == ""


def test_a_file_that_git_does_not_track_is_left_alone(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    no_clone = tmp_path_factory.mktemp("download")
    for folder in (clone, no_clone):
        (folder / "Pulumi.mine.yaml").write_text(SALT + TRACKED, encoding="utf-8")
        assert remove_from_tracked_files(folder) == []
        assert (folder / "Pulumi.mine.yaml").read_text(encoding="utf-8") == SALT + TRACKED


def test_a_file_that_cannot_be_read_is_no_failure(clone: Path) -> None:
    (clone / "Pulumi.dev.yaml").write_bytes(SALT.encode() + b"config: [\xff")
    assert remove_from_tracked_files(clone) == []


def test_an_edit_that_is_made_meanwhile_stays(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, edited = clone / "Pulumi.dev.yaml", SALT + TRACKED + "  dyber:logLevel: debug\n"
    file.write_text(SALT + TRACKED, encoding="utf-8")
    real_git = salts.git

    def edit(*arguments: Any) -> Any:
        file.write_text(edited, encoding="utf-8")
        return real_git(*arguments)

    monkeypatch.setattr(salts, "git", edit)
    assert remove_from_tracked_files(clone) == []
    assert file.read_text(encoding="utf-8") == edited
    assert [path.name for path in clone.iterdir() if path.name != ".git"] == [file.name]


@pytest.mark.parametrize("started", [[], ["pulumi"]], ids=["no-pulumi", "pulumi"])
def test_only_a_command_that_started_pulumi_looks_for_salts(
    clone: Path, monkeypatch: pytest.MonkeyPatch, started: list[str]
) -> None:
    (clone / "Pulumi.dev.yaml").write_text(SALT + TRACKED, encoding="utf-8")
    monkeypatch.setattr(entry, "ROOT", clone)
    monkeypatch.setattr(entry.sys, "argv", ["deploy.sh", "--version"])
    monkeypatch.setattr(programs, "_started", set(started))
    with pytest.raises(SystemExit):
        entry.main()
    assert (git(clone, "status", "--porcelain") == "") is bool(started)
