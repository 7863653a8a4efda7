"""Tests the scripts that write secrets into their volume by running them: the one for a shell, and that for Python."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from infra.components.docker.secret_files import PYTHON_SCRIPT, SCRIPT

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a shell script")


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    (tmp_path / "volume").mkdir(mode=0o700)
    return tmp_path / "volume"


@pytest.fixture(params=[("/bin/sh", str(SCRIPT)), (sys.executable, "-I", str(PYTHON_SCRIPT))], ids=["shell", "Python"])
def store(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Stores secrets in a volume: `store(volume, revision, NAME=value)`."""
    return partial(_store, request.param)


def _store(script: tuple[str, ...], volume: Path, revision: str, **secrets: str) -> None:
    staged = volume.parent / f"staged-{revision}-{time.monotonic_ns()}"
    staged.mkdir()
    for name, value in secrets.items():
        (staged / name).write_text(value)
    command = [*script, str(staged), str(volume), revision]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == done.stderr == ""


def stored(volume: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in volume.iterdir()}


def test_each_secret_is_a_file_that_only_its_user_and_group_can_read(volume: Path, store: Callable[..., None]) -> None:
    store(volume, "aa", API_KEY="one", GITHUB_TOKEN="two\nlines\n")
    assert stored(volume) == {"API_KEY-aa": "one", "GITHUB_TOKEN-aa": "two\nlines\n"}
    assert {file.stat().st_mode & 0o777 for file in volume.iterdir()} == {0o440}


def test_files_of_the_previous_revision_stay_and_older_ones_are_deleted(
    volume: Path, store: Callable[..., None]
) -> None:
    store(volume, "aa", API_KEY="1", GITHUB_TOKEN="1")
    store(volume, "bb", API_KEY="2")
    assert sorted(stored(volume)) == ["API_KEY-aa", "API_KEY-bb", "GITHUB_TOKEN-aa"]
    store(volume, "cc", API_KEY="3")
    assert stored(volume) == {"API_KEY-bb": "2", "API_KEY-cc": "3"}


def test_writing_the_same_again_changes_nothing_and_clears_what_was_interrupted(
    volume: Path, store: Callable[..., None]
) -> None:
    store(volume, "aa", API_KEY="1")
    store(volume, "bb", API_KEY="2")
    (volume / ".partial-bb").write_text("half")
    before = stored(volume)
    store(volume, "bb", API_KEY="2")
    assert stored(volume) == {name: value for name, value in before.items() if not name.startswith(".")}
