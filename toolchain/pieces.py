"""Installs programs so that a set-up that is killed, or a second one at the same time, does no harm.

A piece is a folder that set-up installs, such as a tool or a plugin. It is made in a temporary folder and renamed to
its place when it is complete. Its folder's name, or the record in it, holds a hash of everything it was made from, so
that a change of versions or sources makes a new piece.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from messages import tr
from toolchain.damage import lock_at, make_folder, make_room_for_file
from toolchain.home import DyberHome
from toolchain.progress import Progress

RECORD = "dyber.json"
DRAFT_PREFIX = "draft-"
OLD_PIECES_KEPT_SECONDS = 24 * 3600.0


@dataclass(frozen=True)
class Record:
    """The version and origin of a piece, kept in its folder as the file RECORD."""

    version: str
    key: str
    origin: str

    @classmethod
    def read(cls, folder: Path) -> Record | None:
        """Return the record in `folder`; None if there is none or it cannot be read."""
        try:
            return cls(**json.loads((folder / RECORD).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None


def content_key(*parts: str, files: Path | None = None, skip: Callable[[Path], bool] = lambda path: False) -> str:
    """Return a hash, twelve hex digits, of `parts` and of the path and content of every file below `files`."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() + b"\0")
    if files is not None:
        for path in sorted(files.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and not skip(path):
                digest.update(
                    path.relative_to(files).as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest()
                )
    return digest.hexdigest()[:12]


@contextmanager
def hold_lock(home: DyberHome, name: str, progress: Progress) -> Iterator[None]:
    """Hold the lock called `name`, waiting while another set-up holds it. The lock of a process that died is free."""
    from filelock import Timeout

    lock = lock_at(home.locks / f"{name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        with progress.phase(tr("Waiting for another set-up ({name})", name=name)):
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def draft(home: DyberHome, name: str) -> Iterator[Path]:
    """Make a temporary folder on the file system of `home` and remove it afterwards. The caller holds a lock.

    Folders of the same name that a killed run left are removed first.
    """
    make_folder(home.build)
    for left in home.build.glob(f"{DRAFT_PREFIX}{name}-*"):
        remove_tree(left)
    folder = Path(tempfile.mkdtemp(prefix=f"{DRAFT_PREFIX}{name}-", dir=home.build))
    try:
        yield folder
    finally:
        remove_tree(folder)


def put_in_place(made: Path, target: Path, record: Record) -> None:
    """Rename the finished folder `made` to `target`, replacing what is there."""
    write_record(made, record)
    made.chmod(0o755)
    target.parent.mkdir(parents=True, exist_ok=True)
    replaced = made.with_name(made.name + "-replaced")
    if target.exists():
        target.rename(replaced)
    try:
        made.rename(target)
    except BaseException:
        if replaced.exists() and not target.exists():
            replaced.rename(target)
        raise
    remove_tree(replaced)


def write_record(folder: Path, record: Record) -> None:
    """Write the record into the folder of its piece."""
    (folder / RECORD).write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")


def remove_old(tools: Path, name: str, current: Path) -> None:
    """Remove other versions of the tool `name` that have not been changed for a day."""
    for folder in tools.glob(f"{name}-*"):
        if folder != current and time.time() - folder.stat().st_mtime > OLD_PIECES_KEPT_SECONDS:
            remove_tree(folder)


def is_linked(source: Path, target: Path) -> bool:
    """Tell whether `target` already is the same file as `source`, or a copy of it."""
    if not (source.exists() and target.exists()):
        return False
    if source.samefile(target):
        return True
    original, copy = source.stat(), target.stat()
    return (original.st_size, original.st_mtime_ns) == (copy.st_size, copy.st_mtime_ns)


def link(source: Path, target: Path) -> None:
    """Make `target` a hard link to the program `source`, or a copy where the file system has no links. Atomic."""
    if is_linked(source, target):
        return
    make_room_for_file(target)
    new = target.with_name(f".{target.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    try:
        os.link(source, new)
    except OSError:
        shutil.copy2(source, new)
    new.replace(target)


def write_executable(target: Path, text: str) -> None:
    """Write a script atomically, unless the file already has this text."""
    if target.is_file() and target.read_bytes() == text.encode() and os.access(target, os.X_OK):
        return
    make_room_for_file(target)
    new = target.with_name(f".{target.name}.{os.getpid()}")
    new.write_bytes(text.encode())
    new.chmod(0o755)
    new.replace(target)


def remove_tree(folder: Path) -> None:
    """Remove a folder if it exists, also one with read-only parts such as Go's module cache."""

    def retry_writable(function: Callable[..., object], path: str, _error: object) -> None:
        for place in (Path(path).parent, Path(path)):
            if place.exists() and not place.is_symlink():
                place.chmod(place.stat().st_mode | stat.S_IRWXU)
        function(path)

    if folder.exists():
        shutil.rmtree(folder, onerror=retry_writable)
