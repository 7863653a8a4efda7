"""Keeps the folder of a service beside mcp-servers/ while it is made, and moves it there as a whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: What images of services are built from, besides the service's own folder.
_BUILD_FILES = ("Dockerfile", ".dockerignore", "healthcheck")
_IGNORED = shutil.ignore_patterns("__pycache__", "tests", ".pytest_cache")


@contextmanager
def draft(servers: Path, name: str, *, existing: bool = False) -> Iterator[Path]:
    """Yield a folder for the service `name`, from which its image can be built; it is gone when the block ends.

    With `existing` it has a copy of the service's files.
    """
    # Within the repository, so that moving it is one step of the file system; a name with a dot is no service.
    with tempfile.TemporaryDirectory(prefix=".new-service-", dir=servers.parent) as temporary:
        copy = Path(temporary) / servers.name
        copy.mkdir()
        for file in _BUILD_FILES:
            if (servers / file).is_file():
                shutil.copy2(servers / file, copy / file)
        if (servers / "kit").is_dir():
            shutil.copytree(servers / "kit", copy / "kit", ignore=_IGNORED)
        folder = copy / name
        if existing:
            shutil.copytree(servers / name, folder, ignore=_IGNORED)
        else:
            folder.mkdir()
        yield folder


def put_in_place(folder: Path, servers: Path) -> Path:
    """Move the finished folder of a new service into mcp-servers/. Raises FileExistsError."""
    target = servers / folder.name
    if target.exists():
        raise FileExistsError(target)
    folder.rename(target)
    return target


def replace_files(folder: Path, target: Path) -> None:
    """Put the files of `folder` in place of those in `target`, the folder of a service, or leave all as they are."""
    aside = folder.parent / f"{folder.name}.before"
    tests = target / "tests"
    if tests.is_dir():
        shutil.copytree(tests, folder / "tests", dirs_exist_ok=True)
    target.rename(aside)
    try:
        folder.rename(target)
    except BaseException:
        aside.rename(target)
        raise
