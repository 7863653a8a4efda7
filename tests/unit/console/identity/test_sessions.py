"""Keeps sessions as long as they last, and ends them with the password."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dyber_console.identity.sessions import IDLE_SECONDS, KEPT_SECONDS, Sessions
from dyber_console.records.store import Store

NOW = 1_795_873_267.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "console.sqlite")
    yield opened
    opened.close()


def test_the_store_does_not_have_the_value_of_the_cookie(store: Store) -> None:
    value = Sessions(store, "mark").start(False, NOW)
    assert value not in str([tuple(row) for row in store.db.execute("SELECT * FROM sessions")])


def test_a_session_ends_after_twelve_idle_hours(store: Store) -> None:
    sessions = Sessions(store, "mark")
    value = sessions.start(False, NOW)
    half = IDLE_SECONDS - 60
    assert sessions.find(value, NOW + half)
    assert sessions.find(value, NOW + 2 * half)
    assert sessions.find(value, NOW + 2 * half + IDLE_SECONDS) is None


def test_a_kept_session_ends_after_thirty_days(store: Store) -> None:
    sessions = Sessions(store, "mark")
    value = sessions.start(True, NOW)
    assert sessions.find(value, NOW + KEPT_SECONDS - 1)
    assert sessions.find(value, NOW + KEPT_SECONDS) is None


def test_a_new_password_ends_all_sessions(store: Store) -> None:
    value = Sessions(store, "old").start(True, NOW)
    assert Sessions(store, "new").find(value, NOW) is None
    assert Sessions(store, "old").find(value, NOW) is None


@pytest.mark.parametrize("value", [None, "", "another"])
def test_no_other_value_is_a_session(store: Store, value: str | None) -> None:
    sessions = Sessions(store, "mark")
    sessions.start(True, NOW)
    assert sessions.find(value, NOW) is None
