"""Records and reads changes of the services' states and of the logins to platforms."""

from __future__ import annotations

from dataclasses import dataclass

from dyber_console.records.store import Store

#: Accounts of a service, and changes of the login of each, that are kept.
_MOST_ACCOUNTS = 20
_MOST_CHANGES = 100


@dataclass(frozen=True)
class StateChange:
    """Says that a service got into another state: up, degraded, down or unknown."""

    at: float
    service: str
    state: str
    code: str


@dataclass(frozen=True)
class LoginChange:
    """Says that an account of a service was logged in or lost its login."""

    at: float
    service: str
    account: str
    logged_in: bool


def note_state(store: Store, change: StateChange) -> bool:
    """Record a state unless it is the last one of its service; return whether it changed."""
    last = last_state(store, change.service)
    if last is not None and last.state == change.state:
        return False
    with store.db:
        row = (change.at, change.service, change.state, change.code)
        store.db.execute("INSERT INTO states VALUES (?,?,?,?)", row)
    return True


def note_login(store: Store, change: LoginChange) -> bool:
    """Record a login state unless it is the last one of its account; return whether it changed.

    Accounts beyond the first 20 of a service are not recorded.
    """
    known = logins(store, change.service, change.account)
    if known and known[0].logged_in == change.logged_in:
        return False
    if not known and len(accounts(store, change.service)) >= _MOST_ACCOUNTS:
        return False
    with store.db:
        row = (change.at, change.service, change.account, change.logged_in)
        store.db.execute("INSERT INTO logins VALUES (?,?,?,?)", row)
        store.db.execute(
            "DELETE FROM logins WHERE service = ? AND account = ? AND at <= "
            "(SELECT at FROM logins WHERE service = ? AND account = ? ORDER BY at DESC LIMIT 1 OFFSET ?)",
            (change.service, change.account, change.service, change.account, _MOST_CHANGES),
        )
    return True


def last_state(store: Store, service: str) -> StateChange | None:
    """Return the last recorded state of a service, or None."""
    row = store.db.execute("SELECT * FROM states WHERE service = ? ORDER BY at DESC LIMIT 1", (service,)).fetchone()
    return StateChange(row["at"], row["service"], row["state"], row["code"]) if row else None


def recent_states(store: Store, most: int = 20) -> list[StateChange]:
    """Return the last changes of states, the newest first."""
    rows = store.db.execute("SELECT * FROM states ORDER BY at DESC LIMIT ?", (most,))
    return [StateChange(row["at"], row["service"], row["state"], row["code"]) for row in rows]


def recent_logins(store: Store, most: int = 20) -> list[LoginChange]:
    """Return the last changes of logins, the newest first."""
    rows = store.db.execute("SELECT * FROM logins ORDER BY at DESC LIMIT ?", (most,))
    return [LoginChange(row["at"], row["service"], row["account"], bool(row["logged_in"])) for row in rows]


def logins(store: Store, service: str, account: str) -> list[LoginChange]:
    """Return the changes of an account's login, the newest first."""
    rows = store.db.execute(
        "SELECT * FROM logins WHERE service = ? AND account = ? ORDER BY at DESC LIMIT 20", (service, account)
    )
    return [LoginChange(row["at"], row["service"], row["account"], bool(row["logged_in"])) for row in rows]


def accounts(store: Store, service: str) -> list[str]:
    """Return the accounts of a service whose logins are known."""
    rows = store.db.execute("SELECT DISTINCT account FROM logins WHERE service = ? ORDER BY 1", (service,))
    return [row[0] for row in rows]
