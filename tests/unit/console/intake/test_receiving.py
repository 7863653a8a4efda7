"""Records what comes in, and goes on after a failure."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from dyber_console.intake import polling, receiving
from dyber_console.intake.board import Board
from dyber_console.intake.files import Files
from dyber_console.intake.live import Live, ServiceStatus
from dyber_console.intake.polling import Poller
from dyber_console.intake.receiving import Receiver
from dyber_console.records import calls, logs
from dyber_console.records.calls import Filter
from dyber_console.records.logs import LogLine
from dyber_console.records.model import Call, Span
from dyber_console.records.store import Store
from dyber_console.settings import Settings

from tests.console.support import records
from tests.console.support.gateway import StandInGateway
from tests.console.support.running import console_on, wait_until

NOW = 1_795_873_267.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "console.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def live() -> Live:
    return Live(clock=lambda: NOW)


@pytest.fixture
def receiver(store: Store, live: Live) -> Receiver:
    return Receiver(store, live, Files(None), Board())


def access(tool: str = "notes_search") -> str:
    return records.log_line(NOW, 0.1, "notes", tool, "phone")


async def happens(fact: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not fact():
            await asyncio.sleep(0.01)


async def test_after_a_failure_recording_goes_on(
    store: Store, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [sqlite3.OperationalError("database or disk is full")]
    add_calls = store.add_calls

    def add(batch: list[Call]) -> int:
        if batch and failures:
            raise failures.pop()
        return add_calls(batch)

    monkeypatch.setattr(store, "add_calls", add)
    monkeypatch.setattr(receiving, "_WRITE_SECONDS", 0.01)
    running = asyncio.create_task(receiver.run())
    receiver.take_line(access())
    await happens(lambda: not failures)
    receiver.take_line(access("notes_get"))
    await happens(lambda: running.done() or calls.page(store, Filter()))
    assert [each.tool for each in calls.page(store, Filter())] == ["notes_get"]
    running.cancel()


def test_lines_that_cannot_be_recorded_cost_no_calls(store: Store, receiver: Receiver) -> None:
    receiver.take_logs([LogLine(NOW, "notes", 9, "INFO", "\ud83d")])
    receiver.take_line(access())
    receiver.write()
    assert len(calls.page(store, Filter())) == 1
    assert logs.recent(store, "notes") == []


async def test_a_failure_to_record_a_state_does_not_end_the_polling(
    store: Store, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[str] = []

    def fail(known: Store, change: object) -> bool:
        noted.append("failed")
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(polling, "note_state", fail)
    monkeypatch.setattr(polling, "STATUS_SECONDS", 0.01)
    transport = httpx2.ASGITransport(app=StandInGateway().app())
    async with httpx2.AsyncClient(transport=transport) as client:
        poller = Poller(Settings("", gateway_url="http://gateway"), client, live, store, Board())
        running = asyncio.create_task(poller.run())
        await happens(lambda: running.done() or len(noted) > 1)
        assert not running.done()
        running.cancel()


def test_it_is_not_ready_when_a_part_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def end(self: Receiver) -> None:
        raise RuntimeError("broken")

    with console_on(tmp_path / "whole", StandInGateway()) as target:
        assert httpx2.get(f"{target.base}/ready").status_code == 200
    monkeypatch.setattr(Receiver, "run", end)
    with console_on(tmp_path / "broken", StandInGateway()) as target:
        wait_until(lambda: httpx2.get(f"{target.base}/ready").status_code == 503, "it is not ready")
        assert httpx2.get(f"{target.base}/health").status_code == 200


def test_times_that_services_send_are_at_most_an_hour_from_now(store: Store, receiver: Receiver) -> None:
    sent = [0.0, NOW - 3000, NOW, NOW + 1e9]
    receiver.take_spans([Span("a", str(number), "", "notes", "span", at, 0.1) for number, at in enumerate(sent)])
    receiver.take_logs([LogLine(at, "notes", 9, "INFO", "line") for at in sent])
    receiver.write()
    expected = [NOW - 3600, NOW - 3000, NOW, NOW + 3600]
    assert [row[0] for row in store.db.execute("SELECT start FROM spans ORDER BY span_id")] == expected
    assert [line.at for line in reversed(logs.recent(store, "notes"))] == expected


def test_lines_of_services_that_do_not_exist_are_ignored(store: Store, live: Live, receiver: Receiver) -> None:
    live.services, live.hub, live.status_at = {"notes": ServiceStatus("up")}, ServiceStatus("up"), NOW
    receiver.take_logs([LogLine(NOW, name, 9, "INFO", "line") for name in ("notes", "hub", "made-up")])
    receiver.write()
    assert {row[0] for row in store.db.execute("SELECT service FROM logs")} == {"notes", "hub"}


def test_what_the_hub_asks_again_and_again_pushes_out_no_lines(store: Store, receiver: Receiver) -> None:
    polling = [LogLine(NOW, "notes", 9, "INFO", "request", "r-1", {"client": "_hub", "status": "200"})] * 500
    receiver.take_logs([LogLine(NOW, "notes", 9, "INFO", "line"), *polling])
    receiver.write()
    assert [line.message for line in logs.recent(store, "notes")] == ["line"]
