"""Tests the folder DYBER_HOME and the passphrase in it."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from toolchain.home import DyberHome


def test_the_passphrase_is_random_and_only_its_owner_may_read_it(tmp_path):
    first = DyberHome(tmp_path / "first").ensure_passphrase()
    second = DyberHome(tmp_path / "second").ensure_passphrase()
    assert first.stat().st_mode & 0o777 == 0o600
    assert len(first.read_text()) >= 32
    assert first.read_text() != second.read_text()


def test_an_existing_passphrase_is_never_overwritten(tmp_path):
    home = DyberHome(tmp_path)
    home.passphrase_file.write_text("the user's own")
    assert home.ensure_passphrase().read_text() == "the user's own"
    assert [path.name for path in tmp_path.iterdir()] == ["passphrase"]


def test_set_ups_at_the_same_time_use_the_same_passphrase(tmp_path):
    home = DyberHome(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda _: home.ensure_passphrase().read_text(), range(32)))
    assert len(set(read)) == 1 and read[0]


def test_the_home_is_closed_to_other_users(tmp_path):
    home = DyberHome(tmp_path / "deep" / "home")
    home.create()
    assert home.root.stat().st_mode & 0o777 == 0o700
    assert home.plugins.is_dir() and home.state.is_dir()


def test_the_environment_variable_chooses_the_home(monkeypatch, tmp_path):
    monkeypatch.setenv("DYBER_HOME", str(tmp_path / "elsewhere"))
    assert DyberHome.from_environment().root == tmp_path / "elsewhere"
    monkeypatch.delenv("DYBER_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    if os.name == "posix" and Path("/proc").exists():
        assert DyberHome.from_environment().root == tmp_path / "data" / "dyber"
