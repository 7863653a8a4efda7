"""Installs what several tests use once, in DYBER_HOME, and keeps it for later runs."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from filelock import FileLock

from toolchain.home import DyberHome

_INSTALL_SECONDS = 600


def install_once(name: str, content: bytes, command_for: Callable[[Path], Sequence[str | Path]]) -> Path:
    """Return the folder of an installation, made if it is not there; fail the test with the installer's words otherwise.

    `content` is what the installation is made of, such as a lock file: another content gets another folder.
    `command_for` prepares the folder and returns the command to run in it.
    """
    version = hashlib.sha256(content).hexdigest()[:12]
    folder = DyberHome.from_environment().build / "tests" / f"{name}-{version}"
    done = folder / ".installed"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        if not done.exists():
            command = command_for(folder)
            result = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False
            )
            if result.returncode:
                pytest.fail(f"{name} could not be installed by {command[0]}:\n{result.stdout}{result.stderr}")
            done.touch()
    return folder
