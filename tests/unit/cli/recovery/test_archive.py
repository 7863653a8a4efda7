"""A backup opens with its password only, and a damaged or cut backup is never taken for a complete one."""

from __future__ import annotations

import io
import os
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from cli.recovery import age_encryption, archive
from cli.recovery.age_encryption import CHUNK_BYTES
from cli.recovery.archive_errors import ArchiveError, WrongPassword

PASSWORD = "correct horse"
CONTENT = os.urandom(2 * CHUNK_BYTES + 12345)
#: Where the header and the nonce end and the first chunk begins, and how long a chunk is in the file.
CHUNKS, SEALED = 166, CHUNK_BYTES + 16


@pytest.fixture(autouse=True)
def quick_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYBER_LANG", "en")
    monkeypatch.setattr(age_encryption, "WORK_FACTOR", 10)


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    def fill(tar: tarfile.TarFile) -> None:
        member = tarfile.TarInfo("data/数据.bin")
        member.size = len(CONTENT)
        tar.addfile(member, io.BytesIO(CONTENT))

    path = tmp_path / "dyber.tar.age"
    archive.write(path, PASSWORD, fill)
    return path


def read(path: Path, password: str = PASSWORD) -> dict[str, bytes]:
    with archive.reading(path, password) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def test_a_backup_is_read_as_it_was_written(backup: Path) -> None:
    assert read(backup) == {"data/数据.bin": CONTENT}


def test_the_file_shows_nothing_of_its_contents(backup: Path) -> None:
    assert CONTENT[:64] not in backup.read_bytes()
    assert b"data/" not in backup.read_bytes()


def test_two_backups_of_the_same_data_have_nothing_in_common(backup: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    archive.write(other, PASSWORD, lambda tar: None)
    salt, key = slice(32, 54), slice(58, 101)
    assert backup.read_bytes()[salt] != other.read_bytes()[salt]
    assert backup.read_bytes()[key] != other.read_bytes()[key]


def test_another_password_does_not_open_it(backup: Path) -> None:
    with pytest.raises(WrongPassword):
        read(backup, "wrong horse")


@pytest.mark.parametrize("where", [0, 20, 26, 40, 56, 70, 120, 149, 155, CHUNKS, CHUNKS + SEALED, -1])
def test_one_changed_bit_anywhere_is_noticed(backup: Path, where: int) -> None:
    content = bytearray(backup.read_bytes())
    content[where] ^= 1
    backup.write_bytes(content)
    with pytest.raises(ArchiveError):
        read(backup)


@pytest.mark.parametrize("left", [0, 10, 30, 110, 155, CHUNKS, CHUNKS + SEALED, CHUNKS + 2 * SEALED, -1])
def test_a_cut_file_is_noticed_also_between_two_chunks(backup: Path, left: int) -> None:
    backup.write_bytes(backup.read_bytes()[:left])
    with pytest.raises(ArchiveError):
        read(backup)


@pytest.mark.skipif(os.name != "posix", reason="permission bits")
def test_only_its_owner_can_read_a_backup(backup: Path) -> None:
    assert backup.stat().st_mode & 0o777 == 0o600


def test_a_backup_that_fails_leaves_the_older_one(backup: Path) -> None:
    before = backup.read_bytes()

    def fail(tar: tarfile.TarFile) -> None:
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        archive.write(backup, PASSWORD, fail)
    assert backup.read_bytes() == before
    assert [path.name for path in backup.parent.iterdir()] == [backup.name]


@pytest.mark.parametrize("more", [b"x", bytes(SEALED)])
def test_data_behind_the_end_of_a_file_is_noticed(backup: Path, more: bytes) -> None:
    backup.write_bytes(backup.read_bytes() + more)
    with pytest.raises(ArchiveError, match="damaged"):
        read(backup)


def test_a_file_that_lacks_only_its_marked_end_is_noticed(tmp_path: Path) -> None:
    def fill(tar: tarfile.TarFile) -> None:
        member = tarfile.TarInfo("whole")
        member.size = CHUNK_BYTES - tarfile.BLOCKSIZE  # with its header just one chunk
        tar.addfile(member, io.BytesIO(bytes(member.size)))

    path = tmp_path / "dyber.tar.age"
    archive.write(path, PASSWORD, fill)
    path.write_bytes(path.read_bytes()[: CHUNKS + SEALED])
    with pytest.raises(ArchiveError, match="damaged"):
        read(path)


def test_a_cut_in_the_padding_behind_the_tar_is_noticed(tmp_path: Path) -> None:
    # `tar --blocking-factor` makes as much padding as it is told to.
    path, content = tmp_path / "dyber.tar.age", io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("empty"))
    with path.open("wb") as file:
        sink = age_encryption.Encrypting(file, PASSWORD)
        sink.write(content.getvalue() + bytes(3 * CHUNK_BYTES))
        sink.finish()
    assert read(path) == {"empty": b""}
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ArchiveError, match="damaged"):
        read(path)


def test_chunks_that_changed_places_are_noticed(backup: Path) -> None:
    content = backup.read_bytes()
    first, second = content[CHUNKS : CHUNKS + SEALED], content[CHUNKS + SEALED : CHUNKS + 2 * SEALED]
    backup.write_bytes(content[:CHUNKS] + second + first + content[CHUNKS + 2 * SEALED :])
    with pytest.raises(ArchiveError, match="damaged"):
        read(backup)


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_data_of_any_length_ends_with_a_chunk_that_is_empty_only_where_there_is_no_data(size: int) -> None:
    file, data = io.BytesIO(), os.urandom(size)
    sink = age_encryption.Encrypting(file, PASSWORD)
    sink.write(data)
    sink.finish()
    assert len(file.getvalue()) == CHUNKS + size + 16 * max(1, -(-size // CHUNK_BYTES))
    file.seek(0)
    assert age_encryption.Decrypting(file, PASSWORD).read() == data


def test_an_empty_chunk_behind_data_is_refused_as_age_does() -> None:
    file = io.BytesIO()
    sink = age_encryption.Encrypting(file, PASSWORD)
    sink._write_chunk(bytes(CHUNK_BYTES), last=False)
    sink._write_chunk(b"", last=True)
    file.seek(0)
    with pytest.raises(ArchiveError, match="damaged"):
        age_encryption.Decrypting(file, PASSWORD).read()


def test_memory_does_not_grow_with_the_data(tmp_path: Path) -> None:
    size, path = 512 * CHUNK_BYTES, tmp_path / "large.tar.age"
    source = io.BytesIO(bytes(size))

    def fill(tar: tarfile.TarFile) -> None:
        member = tarfile.TarInfo("large")
        member.size = size
        tar.addfile(member, source)

    tracemalloc.start()
    try:
        archive.write(path, PASSWORD, fill)
        with archive.reading(path, PASSWORD) as tar:
            assert [member.size for member in tar] == [size]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert path.stat().st_size > size > 8 * peak
