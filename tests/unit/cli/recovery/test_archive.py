"""A backup opens with its password only, and a damaged or cut one is never taken for a whole one."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from cli.recovery import archive
from cli.recovery.archive import FRAME_BYTES, ArchiveError, WrongPassword

PASSWORD = "correct horse"
CONTENT = os.urandom(2 * FRAME_BYTES + 12345)


@pytest.fixture(autouse=True)
def quick_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "OPERATIONS", 1)
    monkeypatch.setattr(archive, "MEMORY_BYTES", 8192)


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    def fill(tar: tarfile.TarFile) -> None:
        member = tarfile.TarInfo("data/数据.bin")
        member.size = len(CONTENT)
        tar.addfile(member, io.BytesIO(CONTENT))

    path = tmp_path / "dyber.backup"
    archive.write(path, PASSWORD, fill)
    return path


def read(path: Path, password: str = PASSWORD) -> dict[str, bytes]:
    with archive.reading(path, password) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def test_what_goes_in_comes_out(backup: Path) -> None:
    assert read(backup) == {"data/数据.bin": CONTENT}


def test_nothing_can_be_read_in_it(backup: Path) -> None:
    assert CONTENT[:64] not in backup.read_bytes()
    assert b"data/" not in backup.read_bytes()


def test_two_backups_of_the_same_have_nothing_in_common(backup: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    archive.write(other, PASSWORD, lambda tar: None)
    assert backup.read_bytes()[15:55] != other.read_bytes()[15:55]


def test_another_password_does_not_open_it(backup: Path) -> None:
    with pytest.raises(WrongPassword):
        read(backup, "wrong horse")


@pytest.mark.parametrize("where", [0, 20, 40, 70, FRAME_BYTES, -1])
def test_one_changed_bit_anywhere_is_noticed(backup: Path, where: int) -> None:
    content = bytearray(backup.read_bytes())
    content[where] ^= 1
    backup.write_bytes(content)
    with pytest.raises(ArchiveError):
        read(backup)


@pytest.mark.parametrize("left", [0, 10, 30, 72, 72 + FRAME_BYTES + 17, 72 + 2 * (FRAME_BYTES + 17), -1])
def test_a_cut_file_is_noticed_also_between_two_frames(backup: Path, left: int) -> None:
    backup.write_bytes(backup.read_bytes()[:left])
    with pytest.raises(ArchiveError):
        read(backup)


@pytest.mark.skipif(os.name != "posix", reason="permission bits")
def test_it_is_for_its_owner_only(backup: Path) -> None:
    assert backup.stat().st_mode & 0o777 == 0o600


def test_a_backup_that_fails_leaves_the_older_one(backup: Path) -> None:
    before = backup.read_bytes()

    def fail(tar: tarfile.TarFile) -> None:
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        archive.write(backup, PASSWORD, fail)
    assert backup.read_bytes() == before
    assert [path.name for path in backup.parent.iterdir()] == [backup.name]


def test_a_file_that_was_cut_where_nothing_but_the_end_is_missing_is_noticed(tmp_path: Path) -> None:
    def fill(tar: tarfile.TarFile) -> None:
        member = tarfile.TarInfo("whole")
        member.size = FRAME_BYTES - tarfile.BLOCKSIZE  # with its header just one frame
        tar.addfile(member, io.BytesIO(bytes(member.size)))

    path = tmp_path / "dyber.backup"
    archive.write(path, PASSWORD, fill)
    path.write_bytes(path.read_bytes()[: 72 + FRAME_BYTES + 17])
    with pytest.raises(ArchiveError, match="damaged"):
        read(path)
