"""Tests that pieces are installed completely or not at all, also by killed runs and by two runs at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from toolchain import pieces
from toolchain.home import DyberHome
from toolchain.pieces import Record
from toolchain.progress import PlainProgress

REPOSITORY = Path(__file__).parents[3]
RECORD = Record("1.0", "key", "test")


@pytest.fixture
def home(tmp_path: Path) -> DyberHome:
    home = DyberHome(tmp_path / "home")
    home.create()
    return home


def install(home: DyberHome, target: Path, text: str) -> None:
    with pieces.draft(home, "tool") as folder:
        content = folder / "content"
        content.mkdir()
        (content / "tool").write_text(text)
        pieces.put_in_place(content, target, RECORD)


def test_a_piece_replaces_the_old_one_and_leaves_no_temporary_files(home):
    target = home.tools / "tool-1.0"
    install(home, target, "first")
    install(home, target, "second")
    assert (target / "tool").read_text() == "second"
    assert Record.read(target) == RECORD
    assert list(home.build.iterdir()) == []


def test_a_piece_that_fails_half_way_is_not_installed(home):
    with pytest.raises(RuntimeError), pieces.draft(home, "tool") as folder:
        (folder / "half").write_text("half")
        raise RuntimeError
    assert list(home.build.iterdir()) == []
    assert Record.read(home.tools / "tool-1.0") is None


def test_the_next_run_removes_the_draft_of_a_killed_run_and_gets_its_lock(home):
    script = f"""
import sys, time
from pathlib import Path
from toolchain import pieces
from toolchain.home import DyberHome
from toolchain.progress import PlainProgress
home = DyberHome(Path({str(home.root)!r}))
with pieces.hold_lock(home, "toolchain", PlainProgress()), pieces.draft(home, "tool") as folder:
    (folder / "read-only").mkdir()
    (folder / "read-only" / "half").write_text("half")
    (folder / "read-only").chmod(0o555)
    print("here", flush=True)
    time.sleep(60)
"""
    child = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == b"here\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert len(list(home.build.glob("draft-tool-*"))) == 1

    target = home.tools / "tool-1.0"
    with pieces.hold_lock(home, "toolchain", PlainProgress()):
        install(home, target, "whole")
    assert (target / "tool").read_text() == "whole"
    assert list(home.build.iterdir()) == []


def test_a_second_set_up_waits_for_the_first_and_says_so(home):
    entered, leave, order = threading.Event(), threading.Event(), []

    def first() -> None:
        with pieces.hold_lock(home, "toolchain", PlainProgress()):
            entered.set()
            leave.wait(30)  # ends by timeout only if the second set-up does not wait
            order.append("first")

    class RecordingProgress(PlainProgress):
        def phase(self, title, expect_seconds=None):
            order.append("waiting")
            leave.set()
            return super().phase(title, expect_seconds)

    thread = threading.Thread(target=first)
    thread.start()
    entered.wait()
    with pieces.hold_lock(home, "toolchain", RecordingProgress()):
        order.append("second")
    thread.join()
    assert order == ["waiting", "first", "second"]


def test_the_key_depends_on_names_and_content_of_files(tmp_path):
    def key() -> str:
        return pieces.content_key("1", files=tmp_path, skip=lambda path: path.suffix == ".md")

    (tmp_path / "a.go").write_text("package a")
    (tmp_path / "README.md").write_text("one")
    before = key()
    (tmp_path / "README.md").write_text("two")
    assert key() == before
    (tmp_path / "a.go").write_text("package b")
    changed = key()
    assert changed != before
    (tmp_path / "a.go").rename(tmp_path / "b.go")
    assert key() != changed
    assert pieces.content_key("1", "23") != pieces.content_key("12", "3")


def test_a_link_can_be_moved_to_a_new_version(tmp_path):
    old, new, command = tmp_path / "old", tmp_path / "new", tmp_path / "bin" / "command"
    old.write_text("old")
    new.write_text("newer")
    pieces.link(old, command)
    assert pieces.is_linked(old, command) and not pieces.is_linked(new, command)
    pieces.link(new, command)
    assert command.read_text() == "newer"
    assert old.read_text() == "old"


def test_a_program_is_copied_where_hard_links_do_not_work(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    source, command = tmp_path / "source", tmp_path / "command"
    source.write_text("program")
    source.chmod(0o755)
    pieces.link(source, command)
    assert pieces.is_linked(source, command)
    assert os.access(command, os.X_OK)
    assert not source.samefile(command)


def test_only_other_versions_that_have_not_changed_for_a_day_are_removed(tmp_path):
    for name, age in (("tool-1", 3 * 24 * 3600), ("tool-2", 60), ("tool-3", 3 * 24 * 3600), ("other-1", 3 * 24 * 3600)):
        folder = tmp_path / name
        folder.mkdir()
        timestamp = folder.stat().st_mtime - age
        os.utime(folder, (timestamp, timestamp))
    pieces.remove_old(tmp_path, "tool", tmp_path / "tool-3")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other-1", "tool-2", "tool-3"]
