"""Installs Debian packages where that is possible."""

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
    """Tell whether this system is Debian or derived from it and this process may install packages."""
    return is_root() and shutil.which("apt-get") is not None and Path("/etc/debian_version").exists()


def install_command(packages: Sequence[str]) -> str:
    """Return the command with which the user can install the packages."""
    return f"sudo apt-get install -y {' '.join(packages)}"


def install(packages: Sequence[str], progress: Progress) -> None:
    """Install the packages. Raises SetupError when that is not possible or fails."""
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
    """Copy one program out of a package to `target`. Installing the package instead might start a service.

    `member` is the program's path in the package, such as usr/bin/promtool. Raises SetupError if that is not possible.
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
    except SetupError as error:  # the other package sources may be enough
        progress.line(str(error))
