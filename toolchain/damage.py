"""Renames damaged files of the program and says so, so that work goes on and nothing is lost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from messages import tr

if TYPE_CHECKING:
    from filelock import FileLock

SUFFIX = ".damaged"


def set_aside(path: Path, meaning: str = "") -> Path:
    """Rename a damaged file or folder, print its new name and return its new path; earlier damaged copies stay.

    `meaning`: what the damage means for the user, and what to do about it, if anything.
    """
    new_path, number = path.with_name(path.name + SUFFIX), 1
    while new_path.exists() or new_path.is_symlink():
        number += 1
        new_path = path.with_name(f"{path.name}{SUFFIX}-{number}")
    path.rename(new_path)
    message = tr("{path} was damaged and is now {name}", path=path, name=new_path.name)
    print(f"{message}{tr('; ') + meaning if meaning else ''}", file=sys.stderr, flush=True)
    return new_path


def make_folder(folder: Path) -> None:
    """Make a folder of the program and its parents.

    A file in its place is set aside. A symbolic link there was made by the user and stays.
    """
    if folder.is_file() and not folder.is_symlink():
        set_aside(folder)
    folder.mkdir(parents=True, exist_ok=True)


def make_room_for_file(path: Path) -> None:
    """Make the folder that a file of the program belongs in.

    A folder in place of the file is set aside. A symbolic link there was made by the user and stays.
    """
    make_folder(path.parent)
    if path.is_dir() and not path.is_symlink():
        set_aside(path)


def lock_at(path: Path) -> FileLock:
    """Return the lock whose file is at `path`; whatever else is in its place is set aside."""
    # Imported here because most commands take no lock.
    from filelock import FileLock

    make_room_for_file(path)
    return FileLock(path)
