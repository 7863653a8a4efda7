"""Installs MCP servers of others that the tests of the bridge run, once per lock file, in DYBER_HOME.

To change a version, edit the file in `foreign/` and lock it again: `npm install --package-lock-only` there, or
`./deploy.sh lock`.
"""

from __future__ import annotations

import shutil
import sys
import venv
from pathlib import Path

import pytest

from tests.support import node_programs
from tests.support.installed_once import install_once

FOLDER = Path(__file__).parent / "foreign"
_NPM_FILES = ("package.json", "package-lock.json", ".npmrc")
_REQUIREMENTS = FOLDER / "requirements.txt"


def npm_command(package: str, script: str) -> tuple[str, ...]:
    """Return the command that starts a server of npm, installed if it is not there.

    Args:
        package: Name of the package.
        script: Path of its program in the package.
    """
    content = b"".join((FOLDER / name).read_bytes() for name in _NPM_FILES)
    folder = install_once("foreign-npm", content, _npm_ci)
    return (str(node_programs.install().node), str(folder / "node_modules" / package / script))


def python_command(script: str) -> tuple[str, ...]:
    """Return the command that starts a server of PyPI by its console script, installed if it is not there."""
    content = _REQUIREMENTS.read_bytes() + sys.version.encode()
    folder = install_once("foreign-pypi", content, _uv_install)
    return (str(folder / "environment" / "bin" / script),)


def _npm_ci(folder: Path) -> list[str]:
    npm = shutil.which("npm")
    if npm is None:
        pytest.fail("npm is missing: apt-get install -y npm")
    for name in _NPM_FILES:
        shutil.copy(FOLDER / name, folder)
    return [npm, "ci", "--ignore-scripts", "--omit=dev"]


def _uv_install(folder: Path) -> list[str | Path]:
    venv.create(folder / "environment", clear=True)
    python = folder / "environment" / "bin" / "python"
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--require-hashes"]
    return [*command, "--python", python, "--requirements", _REQUIREMENTS]
