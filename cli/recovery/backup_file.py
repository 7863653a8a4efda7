"""Reads the contents of a backup and gets the password that opens it."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.recovery import archive
from cli.recovery.archive_errors import ArchiveError, WrongPassword, newer, no_backup
from cli.system.errors import StackError
from messages import tr

PASSWORD_VARIABLE = "DYBER_BACKUP_PASSWORD"
MINIMUM_PASSWORD = 8
FORMAT = 1
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        help=tr("File with the password (or the variable {password_variable})", password_variable=PASSWORD_VARIABLE),
    ),
]


@dataclass(frozen=True)
class Manifest:
    """Describes what a backup holds: `volumes` maps names to labels, `size` is the bytes of all data."""

    stack: str
    created: str
    volumes: dict[str, dict[str, str]]
    size: int = 0


def new_password(file: Path | None = None) -> str:
    """Return the password for a new backup from a file or variable, or ask for it twice. Raises typer.BadParameter."""
    password = _given_password(file) or typer.prompt(
        tr("A password for the backup (at least 8 characters)"),
        hide_input=True,
        confirmation_prompt=tr("Once more"),
        err=True,
    )
    if len(password) < MINIMUM_PASSWORD:
        raise typer.BadParameter(tr("a password needs at least 8 characters"))
    return str(password)


def known_password(file: Path | None = None) -> str:
    """Return the password of an existing backup from a file or variable, or ask for it. Raises typer.BadParameter."""
    return _given_password(file) or str(typer.prompt(tr("The backup's password"), hide_input=True, err=True))


def _given_password(file: Path | None) -> str | None:
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise typer.BadParameter(f"{file}: {error.strerror}") from None
    given = os.environ.get(PASSWORD_VARIABLE)
    if given or sys.stdin.isatty():
        return given
    raise typer.BadParameter(
        tr("no terminal to ask for the password: use --password-file or {password_variable}", password_variable=PASSWORD_VARIABLE)
    )  # fmt: skip


def state_of(file: Path, stack: str, password: str) -> dict[str, Any]:
    """Return the state that a backup of `stack` holds, for import_state. Raises StackError."""
    manifest, files = opened(file, password)
    if manifest.stack != stack:
        raise StackError(
            tr("{file} is a backup of stack {stack}", file=file, stack=manifest.stack),
            tr("add -s {stack}", stack=manifest.stack),
        )
    return dict(json.loads(files["state.json"]))


def opened(file: Path, password: str) -> tuple[Manifest, dict[str, bytes]]:
    """Do the same as `verified`, but raise StackError with a next step."""
    try:
        return verified(file, password)
    except WrongPassword as error:
        raise StackError(tr("the password does not open {file}", file=file), error.next_step) from None
    except ArchiveError as error:
        raise StackError(tr("{file} cannot be used: {error}", file=file, error=error), error.next_step) from None


def verified(path: Path, password: str) -> tuple[Manifest, dict[str, bytes]]:
    """Read a backup to its end and return its manifest and its small files. Raises ArchiveError."""
    files: dict[str, bytes] = {}
    size = 0
    with archive.reading(path, password) as tar:
        for member in tar:
            size += member.size
            content = tar.extractfile(member) if member.isfile() and "/" not in member.name else None
            if content is not None:
                files[member.name] = content.read()
    try:
        manifest = json.loads(files["manifest.json"])
        if manifest["format"] > FORMAT:
            raise newer()
        if not {"state.json", "stack.yaml"} <= set(files):
            raise no_backup()
        return Manifest(manifest["stack"], manifest["created"], manifest["volumes"], size), files
    except (KeyError, TypeError, ValueError) as error:
        raise no_backup() from error
