"""The stack's file in a backup is adapted to a machine that has another passphrase than the backup."""

from __future__ import annotations

import pytest

from cli.deployment.state import importing as state_import
from cli.system.errors import StackError

SALTED = b"encryptionsalt: v1:abc=\nconfig:\n  dyber:logLevel: info\n"
SECURE = SALTED + b"  dyber:cache:\n    password:\n      secure: v1:x=\n"


@pytest.fixture(autouse=True)
def this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with a passphrase of its own."""
    monkeypatch.setattr(state_import, "passphrase", lambda: b"of this machine")


def test_with_the_same_passphrase_the_file_is_as_it_was() -> None:
    assert state_import.file_for_here(SECURE, b"of this machine") == SECURE


def test_with_another_passphrase_the_salt_is_left_out() -> None:
    assert state_import.file_for_here(SALTED, b"of that time") == b"config:\n  dyber:logLevel: info\n"


def test_values_that_could_not_be_read_are_refused() -> None:
    with pytest.raises(StackError):
        state_import.file_for_here(SECURE, b"of that time")
