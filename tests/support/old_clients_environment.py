"""Installs the Python clients that need another version of `mcp`, once per lock file, in DYBER_HOME."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from filelock import FileLock

from toolchain.home import DyberHome

FOLDER = Path(__file__).parent / "old_clients"
REQUIREMENTS = FOLDER / "requirements.txt"
_INSTALL_SECONDS = 600


def install() -> Path:
    """Return the Python of the environment, installed if it is not there; fail the test with pip's words otherwise."""
    version = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = DyberHome.from_environment().build / "tests" / f"old-clients-{version}"
    python = folder / "environment" / "bin" / "python"
    done = folder / ".installed"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        if done.exists():
            return python
        venv.create(folder / "environment", clear=True)
        command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--require-hashes", "--python", python]
        result = subprocess.run(
            [*command, "--requirements", REQUIREMENTS],
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=False,
        )
        if result.returncode:
            pytest.fail(f"uv could not install {REQUIREMENTS}:\n{result.stdout}{result.stderr}")
        done.touch()
    return python
