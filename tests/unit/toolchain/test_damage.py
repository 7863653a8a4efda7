"""Tests that damaged files of the program are renamed and reported, and files of the user are left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import bootstrap
from cli.terminal.console import Activities
from toolchain import pieces
from toolchain.damage import lock_at, make_folder, set_aside
from toolchain.home import DyberHome
from toolchain.progress import PlainProgress


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYBER_LANG", "en")


def test_a_damaged_file_is_renamed_and_reported_and_earlier_ones_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    note = tmp_path / "note.json"
    for content in ("first", "second"):
        note.write_text(content)
        set_aside(note, "run status")
    assert (tmp_path / "note.json.damaged").read_text() == "first"
    assert (tmp_path / "note.json.damaged-2").read_text() == "second"
    message = capsys.readouterr().err
    assert f"{note} was damaged and is now note.json.damaged; run status" in message


def test_files_in_place_of_folders_and_folders_in_place_of_files_are_set_aside(tmp_path: Path) -> None:
    home = DyberHome(tmp_path / "home")
    home.root.mkdir()
    for folder in (home.locks, home.logs, home.build):
        folder.write_text("no folder")
    home.create()
    assert home.locks.is_dir() and (home.root / "locks.damaged").read_text() == "no folder"
    (home.logs / "deploy.log").mkdir()
    (home.logs / "setup.log").mkdir()
    Activities(home.logs / "deploy.log").line("said")
    PlainProgress(log=home.logs / "setup.log").line("said")
    assert (home.logs / "deploy.log").read_text() == (home.logs / "setup.log").read_text() == "said\n"


def test_a_file_in_place_of_the_state_is_left_alone(tmp_path: Path) -> None:
    home = DyberHome(tmp_path)
    home.state.write_text("somebody's")
    with pytest.raises(FileExistsError):
        home.create()
    assert home.state.read_text() == "somebody's"


def test_a_broken_symbolic_link_is_left_alone(tmp_path: Path) -> None:
    link = tmp_path / "logs"
    link.symlink_to(tmp_path / "another-disk")
    with pytest.raises(FileExistsError):
        make_folder(link)
    assert link.is_symlink()


@pytest.mark.parametrize("content", [b"", b"\0" * 512, b"\xff\xfe"])
def test_a_lock_can_be_taken_whatever_its_file_contains(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.lock").write_bytes(content)
    with lock_at(tmp_path / "a.lock") as lock:
        assert lock.is_locked


def test_a_folder_in_place_of_a_lock_or_a_program_is_set_aside(tmp_path: Path) -> None:
    home = DyberHome(tmp_path)
    (home.locks / "toolchain.lock").mkdir(parents=True)
    with pieces.hold_lock(home, "toolchain", PlainProgress()):
        pass
    (home.bin / "launcher").mkdir(parents=True)
    pieces.write_executable(home.bin / "launcher", "#!/bin/sh\n")
    pieces.write_executable(home.bin / "linked", "#!/bin/sh\n")
    (home.bin / "link").mkdir()
    pieces.link(home.bin / "linked", home.bin / "link")
    assert (home.bin / "launcher").is_file() and (home.bin / "link").is_file()


def test_a_damaged_stamp_of_the_virtual_environment_counts_as_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / "stamp")
    bootstrap.STAMP.write_bytes(b"\xff\xfe\0")
    assert not bootstrap.is_ready()
