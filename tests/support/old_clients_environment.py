"""Installs the Python clients that need another version of `mcp`, once per lock file, in DYBER_HOME."""

from __future__ import annotations

import sys
import venv
from pathlib import Path

from tests.support.installed_once import install_once

FOLDER = Path(__file__).parent / "old_clients"
REQUIREMENTS = FOLDER / "requirements.txt"


def install() -> Path:
    """Return the Python of the environment, installed if it is not there; fail the test with pip's words otherwise."""
    content = REQUIREMENTS.read_bytes() + sys.version.encode()
    return _python(install_once("old-clients", content, _uv_install))


def _uv_install(folder: Path) -> list[str | Path]:
    venv.create(folder / "environment", clear=True)
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--require-hashes"]
    return [*command, "--python", _python(folder), "--requirements", REQUIREMENTS]


def _python(folder: Path) -> Path:
    return folder / "environment" / "bin" / "python"
