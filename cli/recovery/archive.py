"""Writes and reads a backup: a tar that is encrypted with a password as an age file.

`age --decrypt FILE | tar --extract` opens it without this program. Backups of earlier versions are read too.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from cli.recovery import age_encryption, old_archive
from cli.recovery.archive_errors import no_backup


def write(path: Path, password: str, fill: Callable[[tarfile.TarFile], None]) -> None:
    """Write a backup to `path`, where it appears only when it is complete; only its owner can read it.

    `fill` adds the contents.
    """
    draft = draft_of(path)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            sink = age_encryption.Encrypting(file, password)
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
    """Return the file into which a backup is written until it is complete."""
    return path.with_name(f".{path.name}.part")


@contextmanager
def reading(path: Path, password: str) -> Iterator[tarfile.TarFile]:
    """Give the tar inside a backup, to be read once from front to back.

    Raises ArchiveError, in some cases only on leaving.
    """
    try:
        with path.open("rb") as file:
            source = _decrypting(file, password)
            with tarfile.open(fileobj=source, mode="r|") as tar:
                yield tar
            # What follows the tar's end is read too, so that a file that was cut is not taken for a complete one.
            while source.read(age_encryption.CHUNK_BYTES):
                pass
    except tarfile.TarError as error:
        raise no_backup() from error


def _decrypting(file: BinaryIO, password: str) -> age_encryption.Decrypting | old_archive.Decrypting:
    start = file.read(len(old_archive.MAGIC))
    file.seek(0)
    reader = old_archive.Decrypting if start == old_archive.MAGIC else age_encryption.Decrypting
    return reader(file, password)
