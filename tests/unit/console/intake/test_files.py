"""Reads the history that the command appends to."""

from __future__ import annotations

import json
from pathlib import Path

from dyber_console.intake.files import Files, read_history


def line(**content: object) -> str:
    return json.dumps(content) + "\n"


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
