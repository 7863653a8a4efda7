"""Writes small files on the data volume atomically, readable by the service's user only."""

from __future__ import annotations

import json
import logging
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


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


def write_state(path: Path, state: Any, logger: logging.Logger, problem: str, **about: Any) -> None:
    """Write `state` as JSON for the next process; when that fails, log `problem` with `about`, and go on."""
    try:
        write_private(path, json.dumps(state, ensure_ascii=False).encode())
    except OSError as error:
        logger.error(problem, extra={**about, "reason": str(error)})


def read_state(path: Path, parse: Callable[[Any], T], logger: logging.Logger, problem: str, **about: Any) -> T | None:
    """Return what `parse` makes of the state that an earlier process wrote; None when there is none.

    None also for a state that cannot be used: `problem` is logged with `about`, and a damaged file is renamed.

    Args:
        path: The file.
        parse: Takes the JSON value; raises ValueError, KeyError or TypeError for a damaged one.
        logger: Where problems are logged.
        problem: The text of the log line.
        about: Further fields of the log line.
    """
    try:
        return parse(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        kept_as = None if isinstance(error, OSError) else set_aside(path)
        logger.error(problem, extra={**about, "reason": str(error), "kept_as": str(kept_as or path)})
        return None
