r"""The form of a backup: a tar, encrypted with a password as libsodium does files.

    "DYBER-BACKUP-1\n" | salt, 16 bytes | secretstream header, 24 bytes | frames

The key is argon2id (3 passes, 256 MiB) of the password and the salt. Every frame holds 1 MiB, the last one what is
left; the first is empty, so that a wrong password is told from a damaged file. The last frame is marked: a file that
was cut is noticed.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from nacl import bindings as sodium
from nacl import pwhash, utils
from nacl.exceptions import CryptoError

MAGIC = b"DYBER-BACKUP-1\n"
FRAME_BYTES = 2**20
OPERATIONS, MEMORY_BYTES = 3, 2**28
_KEY = sodium.crypto_secretstream_xchacha20poly1305_KEYBYTES
_HEADER = sodium.crypto_secretstream_xchacha20poly1305_HEADERBYTES
_OVERHEAD = sodium.crypto_secretstream_xchacha20poly1305_ABYTES
_MESSAGE = sodium.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
_FINAL = sodium.crypto_secretstream_xchacha20poly1305_TAG_FINAL


class ArchiveError(Exception):
    """The file is no backup, or it is damaged."""


class WrongPassword(ArchiveError):
    """The password does not open the file."""


def write(path: Path, password: str, fill: Callable[[tarfile.TarFile], None]) -> None:
    """Make a backup at `path`, which appears only when it is whole and is readable by its owner only. `fill` adds
    what goes into it."""
    draft = draft_of(path)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            sink = _Encrypting(file, password)
            with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as tar:
                fill(tar)
            sink.finish()
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def draft_of(path: Path) -> Path:
    """The file in which a backup is written until it is whole."""
    return path.with_name(f".{path.name}.part")


@contextmanager
def reading(path: Path, password: str) -> Iterator[tarfile.TarFile]:
    """The tar inside a backup, to be read once from front to back. Raises ArchiveError, at the latest on leaving."""
    try:
        with path.open("rb") as file:
            source = _Decrypting(file, password)
            with tarfile.open(fileobj=source, mode="r|") as tar:
                yield tar
            # Also what follows the tar's end: a file that was cut must not pass for a whole one.
            while source.read(FRAME_BYTES):
                pass
    except tarfile.TarError as error:
        raise ArchiveError(str(error)) from error


class _Encrypting(io.RawIOBase):
    """Writes what it is given into `file`, encrypted."""

    def __init__(self, file: BinaryIO, password: str) -> None:
        salt = utils.random(pwhash.argon2id.SALTBYTES)
        self._file = file
        self._state = sodium.crypto_secretstream_xchacha20poly1305_state()
        header = sodium.crypto_secretstream_xchacha20poly1305_init_push(self._state, _key(password, salt))
        self._waiting = bytearray()
        file.write(MAGIC + salt + header)
        self._frame(b"", _MESSAGE)

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._waiting += data
        while len(self._waiting) > FRAME_BYTES:
            self._frame(bytes(self._waiting[:FRAME_BYTES]), _MESSAGE)
            del self._waiting[:FRAME_BYTES]
        return len(data)

    def finish(self) -> None:
        """Mark the end."""
        self._frame(bytes(self._waiting), _FINAL)

    def _frame(self, data: bytes, tag: int) -> None:
        self._file.write(sodium.crypto_secretstream_xchacha20poly1305_push(self._state, data, tag=tag))


class _Decrypting(io.RawIOBase):
    """Reads what _Encrypting wrote. Raises ArchiveError."""

    def __init__(self, file: BinaryIO, password: str) -> None:
        self._file = file
        self._waiting = bytearray()
        self._ended = False
        if file.read(len(MAGIC)) != MAGIC:
            raise ArchiveError("not a backup")
        salt, header = file.read(pwhash.argon2id.SALTBYTES), file.read(_HEADER)
        self._state = sodium.crypto_secretstream_xchacha20poly1305_state()
        try:
            sodium.crypto_secretstream_xchacha20poly1305_init_pull(self._state, header, _key(password, salt))
            self._pull(_OVERHEAD)
        except (CryptoError, ValueError, TypeError):
            raise WrongPassword from None

    def read(self, size: int = -1) -> bytes:
        while not self._ended and (size < 0 or len(self._waiting) < size):
            try:
                self._pull(FRAME_BYTES + _OVERHEAD)
            except (CryptoError, ValueError) as error:
                raise ArchiveError("damaged") from error
        end = len(self._waiting) if size < 0 else size
        taken = bytes(self._waiting[:end])
        del self._waiting[:end]
        return taken

    def _pull(self, size: int) -> None:
        frame = self._file.read(size)
        if len(frame) < _OVERHEAD:
            raise CryptoError("cut")
        data, tag = sodium.crypto_secretstream_xchacha20poly1305_pull(self._state, frame)
        self._waiting += data
        self._ended = tag == _FINAL


def _key(password: str, salt: bytes) -> bytes:
    return pwhash.argon2id.kdf(_KEY, password.encode(), salt, opslimit=OPERATIONS, memlimit=MEMORY_BYTES)
