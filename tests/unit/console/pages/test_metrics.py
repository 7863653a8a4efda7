"""Tests what Prometheus reads from the console."""

from __future__ import annotations

import json
from pathlib import Path

from dyber_console.intake.files import Files
from dyber_console.pages.metrics import text
from prometheus_client.parser import text_string_to_metric_families

NAME = "dyber_console_unsaved_since_seconds"


def shown(folder: Path, *events: tuple[str, str]) -> list[float]:
    """Return the values that are shown for a history of kinds and times."""
    lines = [json.dumps({"kind": kind, "at": at, "bytes": 1, "outcome": "ok"}) for kind, at in events]
    (folder / "history.jsonl").write_text("".join(f"{line}\n" for line in lines))
    files = Files(folder)
    files.refresh()
    (family,) = text_string_to_metric_families(text(files))
    assert (family.name, family.type) == (NAME, "gauge")
    return [sample.value for sample in family.samples]


def test_it_is_the_time_of_the_last_backup(tmp_path: Path) -> None:
    events = [
        ("deployment", "2026-11-01T00:00:00+00:00"),
        ("backup", "2026-11-02T00:00:00+00:00"),
        ("backup", "2026-11-03T00:00:00+00:00"),
        ("deployment", "2026-11-04T00:00:00+00:00"),
    ]
    assert shown(tmp_path, *events) == [1793664000.0]


def test_without_a_backup_it_is_the_time_of_the_first_deployment(tmp_path: Path) -> None:
    events = [("deployment", "2026-11-01T00:00:00+00:00"), ("deployment", "2026-11-04T00:00:00+00:00")]
    assert shown(tmp_path, *events) == [1793491200.0]


def test_without_deployments_nothing_is_shown(tmp_path: Path) -> None:
    assert shown(tmp_path) == []
