"""Encrypts and decrypts a stream with a password in the age v1 format, which the program `age` opens too.

The format (C2SP's specification "age"): a header holds a random file key, wrapped with a key that scrypt makes of the
password, and a MAC. A nonce of 16 bytes follows, then the data in chunks of 64 KiB, each sealed with ChaCha20-Poly1305.

    age-encryption.org/v1
    -> scrypt <salt> <work factor>
    <wrapped file key>
    --- <MAC of the header up to here>

This module exists because no library does this for data of any size: pyrage takes a password only together with all
data in memory, and age-rt refuses a work factor other than 18, which the program `rage` often chooses. The primitives
are libsodium's.
"""

from __future__ import annotations

import hmac
import io
import re
import secrets
from base64 import b64decode, b64encode
from typing import BinaryIO

from nacl import bindings as sodium
from nacl.exceptions import CryptoError

from cli.recovery.archive_errors import ArchiveError, WrongPassword, damaged, newer, no_backup
from messages import tr

#: The binary logarithm of scrypt's cost, and the highest that is read, both as in `age`: 18 takes 256 MiB, 22 4 GiB.
WORK_FACTOR, MAX_WORK_FACTOR = 18, 22
CHUNK_BYTES = 64 * 1024
_BLOCK_SIZE = 8
_MAX_MEMORY = 2 * 128 * _BLOCK_SIZE * 2**MAX_WORK_FACTOR
_KEY_BYTES, _FILE_KEY_BYTES, _SALT_BYTES, _NONCE_BYTES = 32, 16, 16, 16
_TAG_BYTES = sodium.crypto_aead_chacha20poly1305_ietf_ABYTES
_SCRYPT_LABEL = b"age-encryption.org/v1/scrypt"
_VERSION = b"age-encryption.org/v1\n"
#: The whole header of a file with a password, which is always shorter than _HEADER_LIMIT.
_HEADER = re.compile(
    re.escape(_VERSION)
    + rb"-> scrypt ([A-Za-z0-9+/]{22}) ([1-9][0-9]{0,2})\n"
    + rb"([A-Za-z0-9+/]{43})\n"
    + rb"--- [A-Za-z0-9+/]{43}\n"
)
_HEADER_LIMIT = 256


class Encrypting(io.RawIOBase):
    """Encrypts what is written into it and writes that into `file`; `finish` marks the end."""

    def __init__(self, file: BinaryIO, password: str) -> None:
        file_key, nonce = secrets.token_bytes(_FILE_KEY_BYTES), secrets.token_bytes(_NONCE_BYTES)
        file.write(_header(password, file_key) + nonce)
        self._file = file
        self._key = _derived(file_key, nonce, b"payload")
        self._number = 0
        self._waiting = bytearray()

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Encrypt `data`; the last chunk waits for `finish`."""
        self._waiting += data
        # The last chunk is marked and may not be empty, so one chunk is always held back.
        while len(self._waiting) > CHUNK_BYTES:
            self._write_chunk(bytes(self._waiting[:CHUNK_BYTES]), last=False)
            del self._waiting[:CHUNK_BYTES]
        return len(data)

    def finish(self) -> None:
        """Write the last chunk."""
        self._write_chunk(bytes(self._waiting), last=True)

    def _write_chunk(self, data: bytes, *, last: bool) -> None:
        self._file.write(_seal(self._key, _chunk_nonce(self._number, last=last), data))
        self._number += 1


class Decrypting(io.RawIOBase):
    """Decrypts `file`, a seekable file, while it is read. Creating and reading it raise ArchiveError."""

    def __init__(self, file: BinaryIO, password: str) -> None:
        file_key = _read_header(file, password)
        nonce = file.read(_NONCE_BYTES)
        self._file = file
        self._key = _derived(file_key, nonce, b"payload")
        self._number = 0
        self._next = self._read_sealed()
        self._waiting = bytearray()
        self._ended = False

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` decrypted bytes, all of them without a size. Raises ArchiveError for a damaged file."""
        while not self._ended and (size < 0 or len(self._waiting) < size):
            self._waiting += self._read_chunk()
        end = len(self._waiting) if size < 0 else size
        taken = bytes(self._waiting[:end])
        del self._waiting[:end]
        return taken

    def _read_chunk(self) -> bytes:
        sealed, self._next = self._next, self._read_sealed()
        # The chunk at the end of the file has to be the one that is marked as the last, and no other may be.
        self._ended = not self._next
        try:
            data = _open(self._key, _chunk_nonce(self._number, last=self._ended), sealed)
        except CryptoError:
            raise damaged() from None
        if not data and self._number:
            raise damaged()
        self._number += 1
        return data

    def _read_sealed(self) -> bytes:
        return self._file.read(CHUNK_BYTES + _TAG_BYTES)


def _header(password: str, file_key: bytes) -> bytes:
    salt = secrets.token_bytes(_SALT_BYTES)
    wrapped = _seal(_password_key(password, salt, WORK_FACTOR), bytes(12), file_key)
    lines = b"-> scrypt %s %d\n%s\n---" % (_text(salt), WORK_FACTOR, _text(wrapped))
    return _with_mac(_VERSION + lines, file_key)


def _read_header(file: BinaryIO, password: str) -> bytes:
    """Return the file key; leave `file` behind the header. Raises ArchiveError."""
    start = file.read(_HEADER_LIMIT)
    match = _HEADER.match(start)
    if match is None:
        raise _refusal(start)
    file.seek(match.end())
    salt, wrapped = _bytes(match[1]), _bytes(match[3])
    work_factor = int(match[2])
    if work_factor > MAX_WORK_FACTOR:
        raise ArchiveError(
            tr(
                "its scrypt work factor {work_factor} is above {max_work_factor}, which age does not open either",
                work_factor=work_factor,
                max_work_factor=MAX_WORK_FACTOR,
            ),
            tr("use another copy of the backup"),
        )
    key = _password_key(password, salt, work_factor)
    try:
        file_key = _open(key, bytes(12), wrapped)
    except CryptoError:
        raise WrongPassword from None
    if not hmac.compare_digest(_with_mac(match[0].rpartition(b" ")[0], file_key), match[0]):
        raise damaged()
    return file_key


def _refusal(start: bytes) -> ArchiveError:
    """Return the error for a file that does not begin with the header of a file with a password."""
    if start.startswith(b"-----BEGIN AGE ENCRYPTED FILE-----"):
        command = "grep -v -e ----- FILE | base64 --decode > new.tar.age"
        return ArchiveError(
            tr("it is in age's text form (armor)"),
            tr("make it binary, then restore the new file: {command}", command=command),
        )
    if start.startswith(_VERSION + b"-> ") and not start.startswith(_VERSION + b"-> scrypt "):
        command = "age --decrypt --identity KEY FILE | age --passphrase > new.tar.age"
        return ArchiveError(
            tr("it is encrypted for an age key, not with a password"),
            tr("encrypt it anew, then restore the new file: {command}", command=command),
        )
    if start.startswith(_VERSION):
        return damaged()
    if start.startswith((b"age-encryption.org/v", b"DYBER-BACKUP-")):
        return newer()
    return no_backup()


def _password_key(password: str, salt: bytes, work_factor: int) -> bytes:
    cost = 2**work_factor
    return sodium.crypto_pwhash_scryptsalsa208sha256_ll(
        password.encode(), _SCRYPT_LABEL + salt, cost, _BLOCK_SIZE, 1, dklen=_KEY_BYTES, maxmem=_MAX_MEMORY
    )


def _with_mac(header: bytes, file_key: bytes) -> bytes:
    mac = hmac.digest(_derived(file_key, b"", b"header"), header, "sha256")
    return header + b" " + _text(mac) + b"\n"


def _derived(secret: bytes, salt: bytes, purpose: bytes) -> bytes:
    """Return HKDF-SHA-256 of `secret`, 32 bytes."""
    return hmac.digest(hmac.digest(salt, secret, "sha256"), purpose + b"\x01", "sha256")


def _chunk_nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _seal(key: bytes, nonce: bytes, data: bytes) -> bytes:
    return sodium.crypto_aead_chacha20poly1305_ietf_encrypt(data, None, nonce, key)


def _open(key: bytes, nonce: bytes, sealed: bytes) -> bytes:
    """Return the data that `sealed` holds. Raises CryptoError."""
    if len(sealed) < _TAG_BYTES:
        raise CryptoError("too short")
    return sodium.crypto_aead_chacha20poly1305_ietf_decrypt(sealed, None, nonce, key)


def _text(data: bytes) -> bytes:
    return b64encode(data).rstrip(b"=")


def _bytes(text: bytes) -> bytes:
    """Return the bytes of a base64 text. Raises ArchiveError where encoding them gives another text."""
    data = b64decode(text + b"=" * (-len(text) % 4))
    if _text(data) != text:
        raise damaged()
    return data
