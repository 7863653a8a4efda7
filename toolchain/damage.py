"""Damaged files of the program's own are renamed and told, so that work goes on and nothing is lost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from messages import tr

if TYPE_CHECKING:
    from filelock import FileLock

SUFFIX = ".damaged"


def set_aside(path: Path, meaning: str = "") -> Path:
    """Rename a damaged file or folder and tell where it is now; what was set aside before stays too.

    `meaning`: what the damage means for the person, and what to do, if anything.
    """
    place, number = path.with_name(path.name + SUFFIX), 1
    while place.exists() or place.is_symlink():
        number += 1
        place = path.with_name(f"{path.name}{SUFFIX}-{number}")
    path.rename(place)
    told = tr("{path} was damaged and is now {name}", path=path, name=place.name)
    print(f"{told}{tr('; ') + meaning if meaning else ''}", file=sys.stderr, flush=True)
    return place


def make_folder(folder: Path) -> None:
    """Make a folder of the program's own, with its parents. A file in its place is set aside; a link is a person's."""
    if folder.is_file() and not folder.is_symlink():
        set_aside(folder)
    folder.mkdir(parents=True, exist_ok=True)


def make_room_for_file(path: Path) -> None:
    """Make the folder of a file of the program's own. A folder in place of the file is set aside; a link is a person's."""
    make_folder(path.parent)
    if path.is_dir() and not path.is_symlink():
        set_aside(path)


def lock_at(path: Path) -> FileLock:
    """The lock at `path`, where it can be taken whatever was there. What a lock file contains does not matter."""
    # Most commands take no lock, and need not wait for this import.
    from filelock import FileLock

    make_room_for_file(path)
    return FileLock(path)
