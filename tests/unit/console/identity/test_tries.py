"""Locks an address after five wrong passwords, each time twice as long, up to five minutes."""

from __future__ import annotations

from dyber_console.identity.tries import MOST, Tries


def test_five_wrong_passwords_lock_the_address_and_no_other() -> None:
    tries = Tries()
    assert [tries.note_wrong("a", 0.0) for _ in range(MOST)] == [4, 3, 2, 1, 0]
    assert tries.locked_seconds("a", 1.0) == 59.0
    assert tries.locked_seconds("b", 1.0) == 0.0


def test_each_lock_is_twice_as_long_up_to_five_minutes() -> None:
    tries, now, locks = Tries(), 0.0, []
    for _ in range(5):
        for _ in range(MOST):
            tries.note_wrong("a", now)
        locks.append(tries.locked_seconds("a", now))
        now += locks[-1]
    assert locks == [60.0, 120.0, 240.0, 300.0, 300.0]


def test_the_right_password_forgets_the_wrong_ones() -> None:
    tries = Tries()
    for _ in range(MOST - 1):
        tries.note_wrong("a", 0.0)
    tries.note_right("a")
    assert tries.note_wrong("a", 0.0) == MOST - 1
