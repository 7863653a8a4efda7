"""Records changes of logins, and only so many."""

from __future__ import annotations

from pathlib import Path

from dyber_console.records import changes
from dyber_console.records.changes import LoginChange
from dyber_console.records.store import Store


def test_a_service_has_at_most_20_accounts_and_100_changes_of_each(tmp_path: Path) -> None:
    store = Store(tmp_path / "console.sqlite")
    noted = [changes.note_login(store, LoginChange(0.0, "notes", f"account-{number:02}", True)) for number in range(30)]
    assert noted == [True] * 20 + [False] * 10
    assert len(changes.accounts(store, "notes")) == 20
    assert changes.note_login(store, LoginChange(0.0, "posts", "main", True))
    for at in range(1, 200):
        assert changes.note_login(store, LoginChange(at, "notes", "account-00", at % 2 == 0))
    kept = store.db.execute("SELECT COUNT(*), MIN(at) FROM logins WHERE account = 'account-00'").fetchone()
    assert tuple(kept) == (100, 100.0)
    store.close()
