"""Judges failures by what is known besides calls."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from dyber_console import gathering
from dyber_console.intake.live import ServiceStatus
from dyber_console.records.changes import LoginChange, StateChange, note_login, note_state
from dyber_console.records.model import Call
from dyber_console.settings import Settings
from dyber_console.state import Console
from dyber_console.verdicts.facts import ServiceFacts

NOW = 1_795_873_267.0


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    password = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash("anything")
    made = Console.create(Settings(password, data_dir=tmp_path / "data", files_dir=tmp_path / "files"))
    made.live.clock = lambda: NOW
    made.live.services = {"zhihu": ServiceStatus("up", ready=1, total=1)}
    yield made
    made.store.close()


def record(console: Console, *outcomes: str) -> None:
    console.store.add_calls(Call(NOW - 60, "r", "t", "phone", "zhihu", "search", outcome, 0.5) for outcome in outcomes)


def zhihu(console: Console) -> ServiceFacts:
    (service,) = gathering.facts(console).services
    return service


@pytest.mark.parametrize("outcome", ["service_down", "circuit_open", "service_timeout"])
def test_calls_of_before_a_restart_do_not_hold_any_more(console: Console, outcome: str) -> None:
    note_state(console.store, StateChange(NOW - 600, "zhihu", "up", ""))
    record(console, outcome)
    assert (found := zhihu(console).failure) is not None and not found.is_over
    note_state(console.store, StateChange(NOW - 50, "zhihu", "down", ""))
    note_state(console.store, StateChange(NOW - 30, "zhihu", "up", ""))
    assert (found := zhihu(console).failure) is not None and found.is_over


def test_a_restart_does_not_make_the_platform_reachable(console: Console) -> None:
    record(console, "UPSTREAM_UNREACHABLE")
    note_state(console.store, StateChange(NOW - 30, "zhihu", "up", ""))
    assert (found := zhihu(console).failure) is not None and not found.is_over


def test_a_new_login_ends_the_failures_of_the_old(console: Console) -> None:
    note_login(console.store, LoginChange(NOW - 90, "zhihu", "main", False))
    record(console, "LOGIN_EXPIRED")
    assert (found := zhihu(console).failure) is not None and not found.is_over
    note_login(console.store, LoginChange(NOW - 30, "zhihu", "main", True))
    assert (found := zhihu(console).failure) is not None and found.is_over


def test_what_still_holds_is_shown_before_what_is_over(console: Console) -> None:
    record(console, "INTERNAL", "BUSY", "service_down")
    note_state(console.store, StateChange(NOW - 30, "zhihu", "up", ""))
    facts = zhihu(console)
    assert facts.failure is not None
    assert [facts.failure.call.outcome, *(each.call.outcome for each in facts.other_failures)] == ["BUSY", "INTERNAL"]
