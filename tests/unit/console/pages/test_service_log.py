"""Lines of a log lead to the calls that are recorded, and to no others."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from dyber_console.pages import service
from dyber_console.records import logs
from dyber_console.records.logs import LogLine
from dyber_console.records.model import Call
from dyber_console.records.store import Store


def test_only_lines_of_recorded_calls_lead_to_one(tmp_path: Path) -> None:
    store = Store(tmp_path / "console.sqlite")
    console: Any = SimpleNamespace(store=store)
    store.add_calls([Call(1, "r-1", "t", "phone", "notes", "search", "ok", 0.1)])
    logs.add(store, [LogLine(1, "notes", 9, "INFO", "line", request) for request in ("r-1", "r-2", "")])
    assert [line.request_id for line in service._log(console, "notes", "")] == ["", "", "r-1"]
    store.close()
