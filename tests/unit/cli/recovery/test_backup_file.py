"""Backups of this and of the earlier format are restored; any other file is refused with the reason and what to do."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.commands.data import restore
from cli.commands.data.restore import Restorable
from cli.recovery import age_encryption, archive
from cli.recovery.backup_file import FORMAT, opened
from cli.system.errors import StackError

PASSWORD = "correct horse"
#: A backup that an earlier version wrote, of a stack with one volume.
OLD = Path(__file__).with_name("old_backup.bin")
VOLUME = "dyber-test-notes-data"
MANIFEST = {"format": FORMAT, "stack": "test", "created": "then", "volumes": {VOLUME: {"dyber.stack": "test"}}}
WHOLE = {
    "manifest.json": json.dumps(MANIFEST).encode(),
    "state.json": b'{"version": 3, "deployment": {}}',
    "stack.yaml": b"config: {}\n",
    f"volumes/{VOLUME}/./笔记.txt": "早上好\n".encode(),
}


@pytest.fixture(autouse=True)
def quick_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYBER_LANG", "en")
    monkeypatch.setattr(age_encryption, "WORK_FACTOR", 10)


def backup(path: Path, content: dict[str, bytes]) -> Path:
    def fill(tar: tarfile.TarFile) -> None:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))

    archive.write(path, PASSWORD, fill)
    return path


def refusal(path: Path, password: str = PASSWORD) -> tuple[str, str]:
    """The message, which names the file, and the next step."""
    with pytest.raises(StackError) as refused:
        opened(path, password)
    assert str(path) in refused.value.message
    return refused.value.message, refused.value.next_step


@pytest.mark.parametrize("old", [False, True], ids=["age", "old"])
def test_a_backup_is_restored_with_its_data(old: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = OLD if old else backup(tmp_path / "dyber.tar.age", WHOLE)
    manifest, files = opened(path, PASSWORD)
    assert (manifest.stack, list(manifest.volumes)) == ("test", [VOLUME])
    assert json.loads(files["state.json"])["version"] == 3 and b"config:" in files["stack.yaml"]
    loaded: dict[str, bytes] = {}

    def load(volume: str, labels: Any, tar: tarfile.TarFile, members: Iterable[tarfile.TarInfo], folder: str) -> None:
        assert (volume, labels["dyber.stack"], folder) == (VOLUME, "test", f"volumes/{VOLUME}")
        for member in members:
            if member.isfile():
                loaded[member.name] = tar.extractfile(member).read()  # type: ignore[union-attr]

    monkeypatch.setattr(restore, "volumes", SimpleNamespace(load=load))
    restorable = Restorable(manifest, files, b"", {}, None, None)  # type: ignore[arg-type]
    restore._fill(restorable, path, PASSWORD)
    assert loaded == {f"volumes/{VOLUME}/./笔记.txt": "早上好\n".encode()}


def test_another_password_is_refused(tmp_path: Path) -> None:
    for path in (OLD, backup(tmp_path / "dyber.tar.age", WHOLE)):
        message, next_step = refusal(path, "wrong horse")
        assert "password does not open" in message and next_step == "try another password"


@pytest.mark.parametrize("cut", [0, 20, 50, 72, -1])
def test_a_cut_backup_of_the_old_format_is_refused(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "cut"
    path.write_bytes(OLD.read_bytes()[:cut])
    message, next_step = refusal(path)
    assert "cannot be used" in message and next_step


def test_a_changed_byte_is_refused_in_both_formats(tmp_path: Path) -> None:
    for path in (OLD, backup(tmp_path / "dyber.tar.age", WHOLE)):
        content = bytearray(path.read_bytes())
        content[-5000] ^= 1
        changed = tmp_path / "changed"
        changed.write_bytes(content)
        message, next_step = refusal(changed)
        assert "damaged or cut short" in message and next_step == "use another copy of the backup"


SALT, SEALED = b"c2FsdHNhbHRzYWx0c2FsdA", b"A" * 43
HEADER = b"age-encryption.org/v1\n-> scrypt %s %d\n%s\n--- %s\n"


@pytest.mark.parametrize(
    ("content", "message", "next_step"),
    [
        (b"", "not a backup", "./deploy.sh backup"),
        (b"PK\x03\x04 something else", "not a backup", "./deploy.sh backup"),
        (b"age-encryption.org/v2\n-> scrypt", "newer version", "./deploy.sh update"),
        (b"DYBER-BACKUP-2\n" + bytes(100), "newer version", "./deploy.sh update"),
        (b"age-encryption.org/v1\n-> X25519 abc\n", "for an age key", "age --decrypt --identity KEY FILE | age --pass"),
        (b"-----BEGIN AGE ENCRYPTED FILE-----\nYWdl", "armor", "FILE | base64 --decode > new"),
        (HEADER % (SALT, 23, SEALED, SEALED), "work factor 23", "another copy"),
        (HEADER % (SALT[:-1] + b"B", 10, SEALED, SEALED), "damaged", "another copy"),
        (b"age-encryption.org/v1\n-> scrypt abc", "damaged", "another copy"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_backup_is_refused_with_a_next_step(
    content: bytes, message: str, next_step: str, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    refused_with = refusal(path)
    assert message in refused_with[0] and next_step in refused_with[1]


@pytest.mark.parametrize(
    ("content", "message", "next_step"),
    [
        ({**WHOLE, "manifest.json": json.dumps({**MANIFEST, "format": 2}).encode()}, "newer", "./deploy.sh update"),
        ({"photo.jpg": b"x"}, "not a backup", "./deploy.sh backup"),
        ({"manifest.json": b"[]"}, "not a backup", "./deploy.sh backup"),
        ({"manifest.json": WHOLE["manifest.json"]}, "not a backup", "./deploy.sh backup"),
    ],
)
def test_an_age_file_with_something_else_in_it_is_refused(
    content: dict[str, bytes], message: str, next_step: str, tmp_path: Path
) -> None:
    refused_with = refusal(backup(tmp_path / "file.age", content))
    assert message in refused_with[0] and next_step in refused_with[1]
