"""`deploy.sh test`: what the tests need beside the product, and running them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from cli.console import Activities
from cli.stack import ROOT
from toolchain.errors import SetupError
from toolchain.language import tr

REQUIREMENTS = ROOT / "tests" / "requirements.txt"
CHROMIUM = Path("/usr/bin/chromium")


def prepare(display: Activities) -> None:
    """Install the tests' Python packages and Debian's Chromium where they are missing. Raises SetupError."""
    stamp = Path(sys.prefix) / ".test-requirements"
    wanted = hashlib.sha256(b"".join(file.read_bytes() for file in _requirement_files())).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        with display.phase(tr("安装测试所需的 Python 包", "Installing the tests' Python packages"), 40):
            # One call per file: some are pinned by hash, which pip then asks of everything in the same call.
            for file in _requirement_files():
                _run([sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", str(file)])
        stamp.write_text(wanted)
    if not CHROMIUM.exists():
        if not shutil.which("apt-get") or os.geteuid() != 0:
            raise SetupError(
                tr("测试需要 Chromium", "the tests need Chromium"),
                tr("请安装：sudo apt-get install chromium", "install it: sudo apt-get install chromium"),
                exit_code=2,
            )
        with display.phase(
            tr("安装测试所需的 Chromium（Debian 软件包）", "Installing Chromium for the tests (Debian package)"), 60
        ):
            _run(["apt-get", "update", "-q"])
            _run(["apt-get", "install", "-qy", "--no-install-recommends", "chromium", "fonts-wqy-microhei"])


def run(arguments: list[str]) -> int:
    """Run pytest over tests/ with `arguments`; its exit code."""
    command = [sys.executable, "-m", "pytest", *(arguments or ["tests"])]
    return subprocess.call(command, cwd=ROOT)


def _requirement_files() -> list[Path]:
    return [REQUIREMENTS, *sorted((ROOT / "mcp-servers").glob("*/requirements.txt"))]


def _run(command: list[str]) -> None:
    result = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    )
    if result.returncode:
        raise SetupError(
            f"{' '.join(command)}\n{result.stdout[-2000:]}", tr("检查网络后重试", "check the network and try again")
        )
