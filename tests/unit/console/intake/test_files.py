"""Reads the history that the command appends to."""

from __future__ import annotations

import json
from pathlib import Path

from dyber_console.intake.files import Files, read_history


def line(**content: object) -> str:
    return json.dumps(content, ensure_ascii=False) + "\n"


def test_the_newest_event_is_first_and_lines_that_cannot_be_read_are_left_out() -> None:
    text = (
        line(kind="backup", at="2026-11-28T10:00:00+08:00", bytes=1)
        + "{half a li\n"
        + line(kind="drift")
        + line(kind="drift", at="2026-11-28T03:00:00+00:00", differences=[])
    )
    assert [event.kind for event in read_history(text)] == ["drift", "backup"]


def test_the_newest_end_of_each_service_is_known(tmp_path: Path) -> None:
    ends = [("zhihu", 10, "exit"), ("hub", 11, "exit"), ("zhihu", 12, "out_of_memory")]
    (tmp_path / "history.jsonl").write_text(
        "".join(
            line(kind="ended", at=f"2026-11-28T{hour}:00:00+00:00", service=name, reason=reason)
            for name, hour, reason in ends
        )
    )
    files = Files(tmp_path)
    assert files.refresh()
    assert {name: event.content["reason"] for name, event in files.ends().items()} == {
        "zhihu": "out_of_memory",
        "hub": "exit",
    }


def test_of_a_very_long_history_the_end_is_read(tmp_path: Path) -> None:
    hours = [f"2026-11-{day:02}T{hour:02}:00:00+00:00" for day in range(1, 29) for hour in range(24)][:500]
    text = "".join(line(kind="deployment", at=at, reason="长" * 5000) for at in hours)
    (tmp_path / "history.jsonl").write_text(text, encoding="utf-8")
    assert len(text.encode()) > 4 * 2**20
    files = Files(tmp_path)
    assert files.refresh()
    assert len(files.history) > 100
    assert files.history[0].content["at"] == hours[-1]


def test_a_document_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "deployment.json").write_text(json.dumps({"stack": "x" * 5 * 2**20}))
    files = Files(tmp_path)
    assert files.refresh()
    assert files.deployment.stack == ""
