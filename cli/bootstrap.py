"""Makes the repository's virtual environment and runs the dyber command in it.

Runs on the standard library alone, on any system. What it does goes to stderr, so that `deploy.sh env` stays
machine-readable.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Nothing is installed yet when this runs, so the project's folder is not on the import path.
sys.path.append(str(ROOT))

from toolchain import proxies  # noqa: E402

VENV = ROOT / ".venv"
STAMP = VENV / ".requirements"
REQUIREMENTS = ROOT / "requirements.txt"
PROJECT = ROOT / "pyproject.toml"
MESSAGES = ROOT / "messages" / "zh" / "LC_MESSAGES" / "dyber.po"
SETUP_FAILED = 2
PROBE_SECONDS = 30


def say(chinese: str, english: str) -> None:
    """Print one line to stderr, in English when DYBER_LANG says so."""
    print(english if os.environ.get("DYBER_LANG", "").startswith("en") else chinese, file=sys.stderr, flush=True)


def venv_python() -> Path:
    """Return the interpreter of the virtual environment."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def expected_stamp() -> str:
    """Return the hash of everything that the virtual environment is prepared for.

    That is the Python version, the kind of machine, the folder, the pinned packages, the project's metadata, its
    messages, and this file.
    """
    place = f"{sys.version_info[:2]} {sys.platform} {platform.machine()} {VENV}\n"
    files = (REQUIREMENTS, PROJECT, MESSAGES, Path(__file__))
    content = place.encode() + b"".join(file.read_bytes() for file in files)
    return hashlib.sha256(content).hexdigest()


def is_ready() -> bool:
    """Tell whether the virtual environment is complete and up to date."""
    try:
        return venv_python().exists() and STAMP.read_bytes() == expected_stamp().encode()
    except OSError:
        return False


def is_usable() -> bool:
    """Tell whether packages can be installed into the existing virtual environment.

    They can if it was completed once, belongs to this Python version, and its pip starts.
    """
    probe = "import sys, pip; print(*sys.version_info[:2])"
    try:
        command = [str(venv_python()), "-c", probe]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return STAMP.exists() and answer.stdout.split() == [str(part) for part in sys.version_info[:2]]


def run_with_clock(command: list[str]) -> None:
    """Run `command` and show the elapsed seconds on a terminal; print its output only if it fails."""
    started = time.monotonic()
    finished = threading.Event()

    def clock() -> None:
        while not finished.wait(1):
            print(f"\r  {time.monotonic() - started:.0f} s", end="", file=sys.stderr, flush=True)

    ticker = threading.Thread(target=clock, daemon=True)
    if sys.stderr.isatty():
        ticker.start()
    try:
        result = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=pip_environment(),
        )
    finally:
        finished.set()
        if sys.stderr.isatty():
            print("\r", end="", file=sys.stderr)
    if result.returncode:
        sys.stderr.write(result.stdout)
        raise SystemExit(SETUP_FAILED)


def create_venv() -> None:
    """Create an empty virtual environment.

    Debian's Python may lack the module venv; then python3-venv is installed first, if this process may do that.
    """
    remove_venv()
    probe = subprocess.run([outer_python(), "-c", "import ensurepip, venv"], capture_output=True)
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
    run_with_clock([outer_python(), "-m", "venv", str(VENV)])


def remove_venv() -> None:
    """Empty the folder of the virtual environment, which may be a link to a folder elsewhere. Raises OSError."""
    if not VENV.is_dir():
        VENV.unlink(missing_ok=True)
        return
    for entry in VENV.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def outer_python() -> str:
    """Return the Python that makes virtual environments, even when this program runs inside one."""
    return getattr(sys, "_base_executable", "") or sys.executable


def pip_environment() -> dict[str, str]:
    """Return the environment with the proxies, the index and the certificates that pip can use."""
    env = proxies.for_python(os.environ)
    for name, meaning in (("DYBER_PIP_INDEX_URL", "PIP_INDEX_URL"), ("DYBER_CA_BUNDLE", "PIP_CERT")):
        if env.get(name):
            env[meaning] = env[name]
    return env


def prepare() -> None:
    """Create or update the virtual environment; the stamp is written last, so an interrupted run is repeated."""
    say(
        "准备 Python 环境（.venv，约 1 分钟，仅第一次）…",
        "Preparing the Python environment (.venv, about a minute, only the first time) …",
    )
    if names := ", ".join(proxies.unusable(os.environ)):
        # The catalogue of messages is not compiled yet.
        say(
            f"Python 的下载不能用 SOCKS 代理，略过 {names}",
            f"Python's downloads cannot use SOCKS proxies: {names} is left out",
        )
    if not is_usable():
        create_venv()
    STAMP.unlink(missing_ok=True)
    install = [str(venv_python()), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    run_with_clock([*install, "-r", str(REQUIREMENTS)])
    # The project itself, editable: its packages are imported from this folder, and it brings the `dyber` command.
    run_with_clock([*install, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)])
    run_with_clock([str(venv_python()), "-m", "messages.catalogue"])
    STAMP.write_text(expected_stamp())


def main(*, damaged: bool = False) -> int:
    """Prepare the virtual environment, run the dyber command in it, and return the exit code.

    `damaged` means that the virtual environment lacks a package in spite of its stamp, so it is made anew.
    """
    if sys.version_info < (3, 11):  # noqa: UP036 - an older Python runs this file too, and gets the message
        say("需要 Python 3.11 或更高版本", "Python 3.11 or newer is needed")
        return SETUP_FAILED
    try:
        if damaged:
            STAMP.unlink(missing_ok=True)
        if not is_ready():
            with Lock(ROOT / ".venv.lock"):
                if not is_ready():
                    prepare()
    except OSError as error:
        return cannot_write(error)
    command = [str(venv_python()), "-P", str(ROOT / "cli" / "__main__.py"), *sys.argv[1:]]
    if os.name == "nt":
        return subprocess.call(command)
    try:
        os.execv(command[0], command)
    except OSError as error:
        say(
            f"无法运行 {command[0]}（{error.strerror}）：它所在的磁盘可能不允许执行程序。把项目放到别处再运行一次",
            f"cannot run {command[0]} ({error.strerror}): its disk may allow no programs. Move the project, run again",
        )
        return SETUP_FAILED


def cannot_write(error: OSError) -> int:
    """Say that the virtual environment cannot be written, and what to do; return the exit code."""
    place = error.filename or VENV
    say(
        f"无法准备 {VENV}：{place}：{error.strerror}。项目目录要能由你写入且磁盘未满："
        f'sudo chown -R "$USER" {shlex.quote(str(ROOT))}，或把项目克隆到自己的目录',
        f"cannot prepare {VENV}: {place}: {error.strerror}. The project's folder must be writable for you, and its disk "
        f'not full: sudo chown -R "$USER" {shlex.quote(str(ROOT))}, or clone the project into a folder of yours',
    )
    return SETUP_FAILED


class Lock:
    """A lock file that keeps a second preparation waiting; the system releases it when this process ends."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        self.file = self.path.open("w")
        if os.name == "nt":
            import msvcrt

            locking, mode = msvcrt.locking, msvcrt.LK_LOCK  # type: ignore[attr-defined] # only on Windows
            locking(self.file.fileno(), mode, 1)
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
