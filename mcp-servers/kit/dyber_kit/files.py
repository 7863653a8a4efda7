"""Writes small files on the data volume atomically, readable by the service's user only."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path


def write_private(path: Path, content: bytes) -> None:
    """Replace `path` atomically with a file of mode 0600; a missing folder is made with mode 0700.

    Raises:
        OSError: The volume cannot be written; the old file is unchanged.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_or_create(path: Path, make: Callable[[], bytes]) -> bytes:
    """Return the content of `path`; when the file is missing, write `make()` to it first. Raises OSError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        write_private(path, make())
        return path.read_bytes()


def set_aside(path: Path) -> Path | None:
    """Rename a damaged file to `<name>.damaged`, replacing an earlier one, so that the service can work without it.

    Returns the new path, or None when the file could not be renamed.
    """
    target = path.with_name(f"{path.name}.damaged")
    try:
        path.replace(target)
    except OSError:
        return None
    return target
