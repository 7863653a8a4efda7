"""The stack's file of a backup, where the passphrase is another one than at the time of the backup."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import backup
from cli.backup import Manifest
from cli.stack import StackError

SALTED = b"encryptionsalt: v1:abc=\nconfig:\n  dyber:logLevel: info\n"
SECURE = SALTED + b"  dyber:cache:\n    password:\n      secure: v1:x=\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository, on a machine with a passphrase of its own."""
    monkeypatch.setattr(backup, "ROOT", tmp_path)
    monkeypatch.setattr(backup, "_passphrase", lambda: b"of this machine")
    return tmp_path


def restored(root: Path, stack_yaml: bytes, passphrase: bytes) -> bytes:
    manifest = Manifest(stack="test", created="2026-01-02 03:04 UTC", volumes={})
    backup._write_files(manifest, {"stack.yaml": stack_yaml, "passphrase": passphrase})
    return (root / "Pulumi.test.yaml").read_bytes()


def test_with_the_same_passphrase_the_file_is_as_it_was(root: Path) -> None:
    assert restored(root, SECURE, b"of this machine") == SECURE


def test_with_another_one_its_salt_is_left_out(root: Path) -> None:
    assert restored(root, SALTED, b"of that time") == b"config:\n  dyber:logLevel: info\n"


def test_values_that_could_not_be_read_are_refused_before_anything_is_written(root: Path) -> None:
    with pytest.raises(StackError):
        restored(root, SECURE, b"of that time")
    assert not (root / "Pulumi.test.yaml").exists()
