"""Ends the streams of changes, so that nothing waits for them."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from dyber_console.pages import live_events

from tests.console.support.gateway import StandInGateway
from tests.console.support.running import PASSWORD, console_on


def test_a_stream_ends_and_tells_the_browser_to_open_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_events, "_LONGEST_SECONDS", 0.2)
    with console_on(tmp_path, StandInGateway()) as target:
        with httpx2.Client(base_url=target.base, headers={"Origin": target.base}, timeout=30) as client:
            answer = client.post("/console/login", data={"password": PASSWORD})
            client.headers["Cookie"] = answer.headers["set-cookie"].partition(";")[0]
            stream = client.get("/console/events")
    assert stream.status_code == 200
    assert stream.text.startswith("retry: 2000\n\n")
