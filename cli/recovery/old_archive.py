r"""Decrypts backups in the format of earlier versions, which only this program reads and no version writes any more.

    "DYBER-BACKUP-1\n" | salt, 16 bytes | secretstream header, 24 bytes | frames

The key is argon2id (3 passes, 256 MiB) of the password and the salt. The first frame is empty, so that a wrong password
can be told from a damaged file. Each further frame holds 1 MiB, the last one the rest; it is marked as the last.
"""

from __future__ import annotations

import io
from typing import BinaryIO

from nacl import bindings as sodium
from nacl import pwhash
from nacl.exceptions import CryptoError

from cli.recovery.archive_errors import WrongPassword, damaged

MAGIC = b"DYBER-BACKUP-1\n"
_FRAME_BYTES = 2**20
_OVERHEAD = sodium.crypto_secretstream_xchacha20poly1305_ABYTES


class Decrypting(io.RawIOBase):
    """Decrypts `file` while it is read. Creating and reading it raise ArchiveError."""

    def __init__(self, file: BinaryIO, password: str) -> None:
        file.seek(len(MAGIC))
        salt = file.read(pwhash.argon2id.SALTBYTES)
        header = file.read(sodium.crypto_secretstream_xchacha20poly1305_HEADERBYTES)
        first = file.read(_OVERHEAD)
        if len(first) < _OVERHEAD:
            raise damaged()
        key = pwhash.argon2id.kdf(
            sodium.crypto_secretstream_xchacha20poly1305_KEYBYTES, password.encode(), salt, opslimit=3, memlimit=2**28
        )
        self._file = file
        self._waiting = bytearray()
        self._ended = False
        self._state = sodium.crypto_secretstream_xchacha20poly1305_state()
        sodium.crypto_secretstream_xchacha20poly1305_init_pull(self._state, header, key)
        try:
            self._pull(first)
        except CryptoError:
            raise WrongPassword from None

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` decrypted bytes, all of them without a size. Raises ArchiveError for a damaged file."""
        while not self._ended and (size < 0 or len(self._waiting) < size):
            frame = self._file.read(_FRAME_BYTES + _OVERHEAD)
            if len(frame) < _OVERHEAD:
                raise damaged()
            try:
                self._pull(frame)
            except CryptoError:
                raise damaged() from None
        end = len(self._waiting) if size < 0 else size
        taken = bytes(self._waiting[:end])
        del self._waiting[:end]
        return taken

    def _pull(self, frame: bytes) -> None:
        data, tag = sodium.crypto_secretstream_xchacha20poly1305_pull(self._state, frame)
        self._waiting += data
        self._ended = tag == sodium.crypto_secretstream_xchacha20poly1305_TAG_FINAL
