"""The virtual environment is repaired or made anew in the same run, or else the reason is printed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli import bootstrap

REPOSITORY = Path(__file__).resolve().parents[3]
NEEDED = (
    "pyproject.toml",
    "infra/version.py",
    "cli/__init__.py",
    "cli/bootstrap.py",
    "toolchain/__init__.py",
    "messages/__init__.py",
    "messages/catalogue.py",
    "messages/zh/LC_MESSAGES/dyber.po",
    "toolchain/proxies.py",
)


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A virtual environment whose Python is a script that answers as a usable Python does."""
    folder = tmp_path / ".venv"
    (folder / "bin").mkdir(parents=True)
    (tmp_path / "requirements.txt").write_text("")
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "VENV", folder)
    monkeypatch.setattr(bootstrap, "STAMP", folder / ".requirements")
    monkeypatch.setattr(bootstrap, "REQUIREMENTS", tmp_path / "requirements.txt")
    monkeypatch.setattr(bootstrap, "PROJECT", tmp_path / "pyproject.toml")
    (tmp_path / "dyber.po").write_text("")
    monkeypatch.setattr(bootstrap, "MESSAGES", tmp_path / "dyber.po")
    bootstrap.STAMP.write_text("of an earlier version")
    answering(folder, f"echo {sys.version_info[0]} {sys.version_info[1]}")
    monkeypatch.setenv("DYBER_LANG", "en")
    return folder


def answering(venv: Path, script: str) -> None:
    """Replace the environment's Python by a shell script."""
    python = venv / "bin" / "python"
    python.unlink(missing_ok=True)
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)


def test_a_good_environment_is_brought_up_to_date(venv: Path) -> None:
    assert bootstrap.is_usable()


@pytest.mark.parametrize("script", ["exit 1", "echo 3 9"], ids=["pip is gone", "made by another version of Python"])
def test_an_environment_that_packages_cannot_be_installed_into_is_made_anew(venv: Path, script: str) -> None:
    answering(venv, script)
    assert not bootstrap.is_usable()


def test_an_environment_whose_python_was_removed_is_made_anew(venv: Path) -> None:
    (venv / "bin" / "python").unlink()
    (venv / "bin" / "python").symlink_to("/nowhere/python3")
    assert not bootstrap.is_usable()


def test_an_environment_of_another_system_is_made_anew(venv: Path) -> None:
    (venv / "bin" / "python").write_bytes(b"\xcf\xfa\xed\xfe not for this system")
    assert not bootstrap.is_usable()


def test_an_interrupted_creation_is_begun_anew(venv: Path) -> None:
    bootstrap.STAMP.unlink()
    assert not bootstrap.is_usable()


def test_a_moved_environment_is_prepared_for_its_new_place(venv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bootstrap.STAMP.write_text(bootstrap.expected_stamp())
    assert bootstrap.is_ready()
    moved = venv.rename(venv.parent / "moved")
    monkeypatch.setattr(bootstrap, "VENV", moved)
    monkeypatch.setattr(bootstrap, "STAMP", moved / ".requirements")
    assert not bootstrap.is_ready()


def test_making_the_environment_anew_keeps_a_link_to_another_disk(venv: Path, tmp_path: Path) -> None:
    elsewhere = venv.rename(tmp_path / "elsewhere")
    venv.symlink_to(elsewhere)
    bootstrap.remove_venv()
    assert venv.is_symlink()
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(28, "No space left on device")])
def test_a_folder_that_cannot_be_written_is_named_with_what_to_do(
    venv: Path, error: OSError, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(bootstrap, "prepare", refuse)
    assert bootstrap.main() == bootstrap.SETUP_FAILED
    printed = capsys.readouterr().err
    assert str(venv) in printed
    assert str(error.strerror) in printed
    assert "chown" in printed


def test_a_package_that_was_removed_by_hand_makes_the_environment_anew(
    venv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    created, ran = [], []
    bootstrap.STAMP.write_text(bootstrap.expected_stamp())
    monkeypatch.setattr(bootstrap, "create_venv", lambda: created.append(venv))
    monkeypatch.setattr(bootstrap, "run_with_clock", lambda command: None)
    monkeypatch.setattr(os, "execv", lambda program, command: ran.append(program))
    bootstrap.main(damaged=True)
    assert created == [venv]
    assert ran == [str(venv / "bin" / "python")]


def test_pip_gets_the_index_and_no_proxy_that_it_cannot_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:9")
    monkeypatch.setenv("DYBER_PIP_INDEX_URL", "https://index.example/simple")
    env = bootstrap.pip_environment()
    assert "all_proxy" not in env
    assert env["PIP_INDEX_URL"] == "https://index.example/simple"


def test_an_environment_without_pip_is_repaired_in_the_same_run(tmp_path: Path) -> None:
    for name in NEEDED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, tmp_path / name)
    (tmp_path / "cli" / "__main__.py").write_text("import pip\nprint('started')\n")
    (tmp_path / "requirements.txt").write_text("hatchling==1.33.0\neditables==0.6\nbabel==2.19.0\n")
    bare = [bootstrap.outer_python(), "-m", "venv", "--without-pip", str(tmp_path / ".venv")]
    subprocess.run(bare, check=True)
    (tmp_path / ".venv" / ".requirements").write_text("of the version before")
    run = [bootstrap.outer_python(), str(tmp_path / "cli" / "bootstrap.py")]
    result = subprocess.run(run, capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stdout) == (0, "started\n"), result.stderr
