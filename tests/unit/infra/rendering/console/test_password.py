"""The hash of the console's password is one that the console takes."""

from __future__ import annotations

from dyber_console.identity.passwords import Password

from infra.rendering.console.password import password_hash

SALT = "0f" * 32


async def test_the_console_takes_the_password_and_no_other() -> None:
    checked = Password(password_hash("correct horse", SALT))
    assert await checked.is_right("correct horse")
    assert not await checked.is_right("battery staple")


def test_the_hash_is_the_same_for_the_same_salt_only() -> None:
    assert password_hash("correct horse", SALT) == password_hash("correct horse", SALT)
    assert password_hash("correct horse", SALT) != password_hash("correct horse", "f0" * 32)
