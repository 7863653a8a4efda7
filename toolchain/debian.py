"""Installing Debian packages, where that is possible."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from messages import tr
from toolchain.errors import SetupError
from toolchain.processes import is_root, stream
from toolchain.progress import Progress


def can_install() -> bool:
    """Whether this is Debian or one of its descendants, with the rights to install packages."""
    return is_root() and shutil.which("apt-get") is not None and Path("/etc/debian_version").exists()


def install_command(packages: Sequence[str]) -> str:
    """What to tell a user who has to do it."""
    return f"sudo apt-get install -y {' '.join(packages)}"


def install(packages: Sequence[str], progress: Progress) -> None:
    """Raises SetupError when not possible or not successful."""
    names = " ".join(packages)
    if not can_install():
        raise SetupError(
            tr("Debian packages are needed: {names}", names=names),
            tr("Run: {packages}", packages=install_command(packages)),
            exit_code=2,
        )
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    next_step = tr("Read apt's words above, then run: {packages}", packages=install_command(packages))
    with progress.phase(tr("Installing Debian packages: {names}", names=names), 45):
        _update(progress)
        stream(
            ["apt-get", "install", "-y", "--no-install-recommends", *packages],
            progress,
            what=f"apt-get install {names}",
            env=env,
            next_step=next_step,
            on_line=progress.detail,
        )


def take_program(package: str, member: str, target: Path, progress: Progress) -> None:
    """Put one program of a package at `target`, without installing the package, which might start a service.

    `member` is the program's path in the package, such as usr/bin/promtool. Raises SetupError when not possible.
    """
    what = f"{package}: {member}"
    retry = tr("check the network and the package sources, and try again")
    with progress.phase(tr("Taking {what}", what=what), 10), tempfile.TemporaryDirectory() as folder:
        if can_install():
            _update(progress)
        stream(["apt-get", "download", package], progress, what=what, next_step=retry, cwd=Path(folder))
        (archive,) = Path(folder).glob("*.deb")
        stream(["dpkg-deb", "--extract", str(archive), folder], progress, what=what, next_step=retry)
        shutil.copy(Path(folder) / member, target)


def _update(progress: Progress) -> None:
    try:
        stream(["apt-get", "update"], progress, what="apt-get update")
    except SetupError as error:  # one broken source must not stand in the way of the others
        progress.line(str(error))
