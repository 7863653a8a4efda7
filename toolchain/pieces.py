"""Installing things so that a killed or a second set-up does no harm.

A piece is made in a temporary folder and renamed into place when it is whole. Its folder's name, or the record in it,
carries a key over everything it was made from, so that a change of versions or sources makes a new one.
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
    """What a piece is and where it came from; stands in its folder as RECORD."""

    version: str
    key: str
    origin: str

    @classmethod
    def read(cls, folder: Path) -> Record | None:
        """Return the record in `folder`; None if there is none that can be read."""
        try:
            return cls(**json.loads((folder / RECORD).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None


def content_key(*parts: str, files: Path | None = None, skip: Callable[[Path], bool] = lambda path: False) -> str:
    """Twelve hex digits over texts and, below `files`, every file's relative path and content."""
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
def only_one(home: DyberHome, name: str, progress: Progress) -> Iterator[None]:
    """Hold the lock called `name`; says so when another set-up has it, and waits. A dead holder's lock is free."""
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
    """A temporary folder on the same file system as the rest of the home; gone afterwards. Needs the caller's lock.

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
    """Remove folders of other versions of the tool `name` that were not touched for a day."""
    for folder in tools.glob(f"{name}-*"):
        if folder != current and time.time() - folder.stat().st_mtime > OLD_PIECES_KEPT_SECONDS:
            remove_tree(folder)


def is_linked(source: Path, target: Path) -> bool:
    """Whether `link` has nothing to do."""
    if not (source.exists() and target.exists()):
        return False
    if source.samefile(target):
        return True
    here, there = source.stat(), target.stat()
    return (here.st_size, here.st_mtime_ns) == (there.st_size, there.st_mtime_ns)


def link(source: Path, target: Path) -> None:
    """Make `target` the same executable file as `source`: a hard link, or a copy where there are none. Atomic."""
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
    """Write a script atomically, unless it is there with the same text."""
    if target.is_file() and target.read_bytes() == text.encode() and os.access(target, os.X_OK):
        return
    make_room_for_file(target)
    new = target.with_name(f".{target.name}.{os.getpid()}")
    new.write_bytes(text.encode())
    new.chmod(0o755)
    new.replace(target)


def remove_tree(folder: Path) -> None:
    """Remove a folder, also one with read-only parts such as Go's module cache. Nothing happens when it is absent."""

    def retry_writable(function: Callable[..., object], path: str, _error: object) -> None:
        for place in (Path(path).parent, Path(path)):
            if place.exists() and not place.is_symlink():
                place.chmod(place.stat().st_mode | stat.S_IRWXU)
        function(path)

    if folder.exists():
        shutil.rmtree(folder, onerror=retry_writable)
