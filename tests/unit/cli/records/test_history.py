"""The console's history gets lines of bounded length, in requests of bounded length."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cli.records import history
from cli.records.history import History
from infra.parts.console import CONSOLE, FILES_FOLDER
from tests.support.fake_engine import use_engine

STACK_LABELS = {"dyber.deployment": "abc"}


class Listing:
    """An engine that lists containers, whatever the filters are, and notes the filters."""

    def __init__(self, *containers: dict[str, Any]) -> None:
        self.listed = containers
        self.filters: dict[str, list[str]] = {}

    def containers(self, all: bool, filters: dict[str, list[str]]) -> list[dict[str, Any]]:
        self.filters = filters
        return list(self.listed)


def container(identity: str, *mounts: dict[str, Any]) -> dict[str, Any]:
    return {"Id": identity, "ImageID": "sha256:1", "Labels": STACK_LABELS, "Mounts": list(mounts)}


def test_the_volume_is_the_one_that_the_console_has_at_its_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Listing(
        container(
            "console",
            {"Name": "dev-console-data", "Destination": "/data", "RW": True},
            {"Name": "dev-console-files-1", "Destination": "/files", "RW": False},
        ),
        container("loader", {"Name": "dev-console-files-1", "Destination": "/files", "RW": True}),
    )
    use_engine(monkeypatch, engine)
    assert history.find(deployment="abc") == [History("console", "sha256:1", "dev-console-files-1", "abc")]
    assert engine.filters == {"label": ["dyber.project=dyber", "dyber.service=console", "dyber.deployment=abc"]}


def test_label_and_folder_are_those_of_the_program() -> None:
    assert (history.SERVICE, history.FOLDER) == (CONSOLE, FILES_FOLDER)


def test_a_stack_without_a_console_has_no_history(monkeypatch: pytest.MonkeyPatch) -> None:
    use_engine(monkeypatch, Listing())
    assert history.find(stack="dev") == []


def test_a_long_entry_keeps_what_fits() -> None:
    entry = {"kind": "drift", "at": "2026", "differences": [{"resource": "知乎" * 100}] * 500}
    line = history._line(entry)
    assert len(line.encode()) <= 16_000
    kept = json.loads(line)
    assert kept["kind"] == "drift" and 0 < len(kept["differences"]) < 500


def test_an_entry_of_one_long_text_keeps_its_kind_and_time() -> None:
    line = history._line({"kind": "deployment", "at": "2026", "reason": "x" * 20_000})
    assert json.loads(line) == {"kind": "deployment", "at": "2026"}


def test_many_lines_are_sent_in_portions_that_fit_into_a_variable() -> None:
    lines = [json.dumps({"kind": "ended", "text": "知" * 1000, "number": number}) for number in range(100)]
    portions = history._portions(lines)
    assert len(portions) > 1 and all(len(text.encode()) <= 120_000 for text in portions)
    assert "\n".join(portions).splitlines() == lines


@pytest.mark.parametrize("line", ["", "{half", "[]", "1"])
def test_a_line_that_cannot_be_read_is_left_out(line: str) -> None:
    assert history._entry(line) is None


def appended(folder: Path, text: str) -> list[str]:
    """Run what appends to the file in `folder`, and return the lines of the file."""
    script = history._APPEND.replace("/to/", f"{folder}/")
    subprocess.run(["/bin/sh", "-ec", script], env={**os.environ, "ENTRIES": text}, check=True, timeout=60)
    assert {file.name for file in folder.iterdir()} == {history.FILE, ".history.lock"}
    return (folder / history.FILE).read_text(encoding="utf-8").splitlines()


def test_the_file_keeps_the_last_lines(tmp_path: Path) -> None:
    lines = appended(tmp_path, "\n".join(f'{{"number": {number}}}' for number in range(600)))
    assert [json.loads(line)["number"] for line in lines] == list(range(100, 600))


def test_the_file_keeps_no_more_bytes_than_the_console_reads(tmp_path: Path) -> None:
    line = json.dumps({"text": "x" * 15_000})
    (tmp_path / history.FILE).write_text(f"{line}\n" * 400, encoding="utf-8")
    lines = appended(tmp_path, '{"text": "last"}')
    assert (tmp_path / history.FILE).stat().st_size <= 3 * 2**20
    assert lines[-1] == '{"text": "last"}' and len(lines) > 200
    assert {json.loads(line)["text"][:1] for line in lines} == {"x", "l"}
