"""Makes the repository's virtual environment and runs the dyber command in it.

Runs on the standard library alone, on any system. What it does goes to stderr, so that `deploy.sh env` stays
machine-readable.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / ".requirements"
REQUIREMENTS = ROOT / "requirements.txt"
SETUP_FAILED = 2


def say(chinese: str, english: str) -> None:
    """One line to stderr, in English when DYBER_LANG asks for it."""
    print(english if os.environ.get("DYBER_LANG", "").startswith("en") else chinese, file=sys.stderr, flush=True)


def venv_python() -> Path:
    """The virtual environment's interpreter."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def wanted_stamp() -> str:
    """What the virtual environment must have been made from: this Python's version, the pinned packages, this file."""
    content = f"{sys.version_info[:2]}\n".encode() + REQUIREMENTS.read_bytes() + Path(__file__).read_bytes()
    return hashlib.sha256(content).hexdigest()


def is_ready() -> bool:
    """Whether the virtual environment is whole and up to date."""
    try:
        return venv_python().exists() and STAMP.read_text() == wanted_stamp()
    except OSError:
        return False


def run_with_clock(command: list[str]) -> None:
    """Run `command`, showing elapsed seconds on a terminal; its output appears only when it fails."""
    started = time.monotonic()
    finished = threading.Event()

    def clock() -> None:
        while not finished.wait(1):
            print(f"\r  {time.monotonic() - started:.0f} s", end="", file=sys.stderr, flush=True)

    ticker = threading.Thread(target=clock, daemon=True)
    if sys.stderr.isatty():
        ticker.start()
    try:
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    finally:
        finished.set()
        if sys.stderr.isatty():
            print("\r", end="", file=sys.stderr)
    if result.returncode:
        sys.stderr.write(result.stdout)
        raise SystemExit(SETUP_FAILED)


def create_venv() -> None:
    """A fresh virtual environment. Installs python3-venv first where Debian left it out and root may."""
    shutil.rmtree(VENV, ignore_errors=True)
    probe = subprocess.run([sys.executable, "-c", "import ensurepip, venv"], capture_output=True)
    if probe.returncode:
        if not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("apt-get"):
            say(
                "这个 Python 缺少 venv 模块，请先运行：sudo apt-get install python3-venv",
                "This Python has no venv module; run first: sudo apt-get install python3-venv",
            )
            raise SystemExit(SETUP_FAILED)
        say("安装 python3-venv …", "Installing python3-venv …")
        run_with_clock(["apt-get", "update", "-q"])
        run_with_clock(["apt-get", "install", "-qy", "--no-install-recommends", "python3-venv"])
    run_with_clock([sys.executable, "-m", "venv", str(VENV)])


def prepare() -> None:
    """Make or bring up to date the virtual environment; the stamp comes last, so an interrupted run is repeated."""
    say(
        "准备 Python 环境（.venv，约 1 分钟，仅第一次）…",
        "Preparing the Python environment (.venv, about a minute, only the first time) …",
    )
    if not venv_python().exists() or not STAMP.exists():
        create_venv()
    STAMP.unlink(missing_ok=True)
    install = [str(venv_python()), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    run_with_clock([*install, "-r", str(REQUIREMENTS)])
    write_launcher()
    STAMP.write_text(wanted_stamp())


def write_launcher() -> None:
    """The `dyber` command in the virtual environment, for shells that have run `eval "$(./deploy.sh env)"`."""
    python, cli = venv_python(), ROOT / "cli"
    if os.name == "nt":
        (python.parent / "dyber.cmd").write_text(f'@"{python}" "{cli}" %*\n')
        return
    launcher = python.parent / "dyber"
    launcher.write_text(f'#!/bin/sh\nexec {shlex.quote(str(python))} {shlex.quote(str(cli))} "$@"\n')
    launcher.chmod(0o755)


def main() -> int:
    """Prepare, then run the dyber command; returns its exit code."""
    if sys.version_info < (3, 11):
        say("需要 Python 3.11 或更高版本", "Python 3.11 or newer is needed")
        return SETUP_FAILED
    if not is_ready():
        with Lock(ROOT / ".venv.lock"):
            if not is_ready():
                prepare()
    command = [str(venv_python()), str(ROOT / "cli"), *sys.argv[1:]]
    if os.name == "nt":
        return subprocess.call(command)
    os.execv(command[0], command)


class Lock:
    """Holds `path` against a second preparation at the same time; released by the system if this process dies."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        self.file = open(self.path, "w")
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(self.file.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self.file.close()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        say("\n已停止；再次运行会接着做。", "\nStopped; the next run goes on from here.")
        sys.exit(130)
