"""Installs axe-core of npm, which finds barriers in pages, once per lock file, in DYBER_HOME."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.installed_once import install_once

FOLDER = Path(__file__).parent
_FILES = ("package.json", "package-lock.json", ".npmrc")


def script() -> str:
    """Return axe-core as the text of a script; fail the test with npm's words when it cannot be installed."""
    content = b"".join((FOLDER / name).read_bytes() for name in _FILES)
    folder = install_once("axe", content, _npm_ci)
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def _npm_ci(folder: Path) -> list[str]:
    npm = shutil.which("npm")
    if npm is None:
        pytest.fail("npm is missing: apt-get install -y npm")
    for name in _FILES:
        shutil.copy(FOLDER / name, folder)
    return [npm, "ci", "--ignore-scripts", "--omit=dev"]
