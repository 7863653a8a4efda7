"""Tests the script that writes the console's files into their volume by running it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from infra.components.docker.console import SCRIPT

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a shell script")


def store(folder: Path, **contracts: str) -> Path:
    """Store a deployment.json and these contracts; return the volume."""
    volume, staged = folder / "volume", folder / "staged"
    volume.mkdir(exist_ok=True)
    if staged.exists():
        subprocess.run(["rm", "-r", str(staged)], check=True)
    (staged / "contracts").mkdir(parents=True)
    (staged / "deployment.json").write_text('{"deployed_at": "@NOW@"}')
    for name, text in contracts.items():
        (staged / "contracts" / f"{name}.json").write_text(text)
    command = ["/bin/sh", str(SCRIPT), str(staged), str(volume)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == done.stderr == ""
    return volume


def test_the_time_of_the_deployment_is_that_of_storing(tmp_path: Path) -> None:
    text = (store(tmp_path) / "deployment.json").read_text()
    assert re.fullmatch(r'\{"deployed_at": "\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"\}', text)


def test_contracts_come_and_go_and_other_files_stay(tmp_path: Path) -> None:
    volume = store(tmp_path, notes="1", clips="2")
    (volume / "history.jsonl").write_text("kept\n")
    store(tmp_path, notes="3")
    assert {path.name: path.read_text() for path in (volume / "contracts").iterdir()} == {"notes.json": "3"}
    assert (volume / "history.jsonl").read_text() == "kept\n"
    store(tmp_path)
    assert list((volume / "contracts").iterdir()) == []


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    volume = store(tmp_path, notes="1")
    (volume / ".partial-notes.json").write_text("half")
    store(tmp_path, notes="1")
    assert [path.name for path in volume.iterdir() if path.name.startswith(".partial")] == []


def test_every_user_can_read_the_files(tmp_path: Path) -> None:
    volume = store(tmp_path, notes="1")
    files = [path for path in volume.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o644}
