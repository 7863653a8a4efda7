"""Installs what the tests need besides the product, and runs them."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path

from cli.system import programs
from cli.system.checkout import ROOT
from cli.terminal.console import Activities
from messages import tr
from toolchain import debian, processes, proxies

REQUIREMENTS = ROOT / "tests" / "requirements.txt"
CHROMIUM = Path("/usr/bin/chromium")
#: The Redis server under another name. It is in the package redis-tools, which starts no service.
REDIS = Path("/usr/bin/redis-check-rdb")
#: The program that installs the clients that are written for Node (tests/support/node_programs.py).
NPM = Path("/usr/bin/npm")
#: The program that checks the rules of Prometheus.
PROMTOOL = Path(sys.prefix) / "bin" / "promtool"


def prepare(display: Activities) -> None:
    """Install the tests' Python packages, Chromium, Redis, npm and promtool if they are missing. Raises SetupError."""
    install_packages(display)
    missing = [] if CHROMIUM.exists() else ["chromium", "fonts-wqy-microhei"]
    if not REDIS.exists():
        missing.append("redis-tools")
    if not NPM.exists() and shutil.which("npm") is None:
        missing.append("npm")
    if missing:
        debian.install(missing, display)
    if not PROMTOOL.exists():
        debian.take_program("prometheus", "usr/bin/promtool", PROMTOOL, display)


def install_packages(display: Activities) -> None:
    """Install the Python packages of the tests and of the tools that check the code. Raises SetupError."""
    stamp = Path(sys.prefix) / ".test-requirements"
    required = hashlib.sha256(b"".join(file.read_bytes() for file in _requirement_files())).hexdigest()
    if not stamp.exists() or stamp.read_bytes() != required.encode():
        retry = tr("check the network and try again")
        with display.phase(tr("Installing the tests' Python packages"), 40):
            # Each file gets its own call, as one file with hashes makes pip require hashes for everything in the call.
            for file in _requirement_files():
                command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "-r", str(file)]
                what = f"pip install -r {file.name}"
                processes.stream(command, display, what=what, next_step=retry, env=proxies.for_python(os.environ))
            kit = ["--no-deps", "--no-build-isolation", "--editable", str(ROOT / "mcp-servers" / "kit")]
            command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", *kit]
            processes.stream(
                command, display, what="pip install -e kit", next_step=retry, env=proxies.for_python(os.environ)
            )
        stamp.write_text(required)


#: The tests of deployments wait much of the time, so other tests run beside them; conftest.py makes the groups.
EVERYTHING = ["--numprocesses", "3", "--dist", "loadscope", "--no-loadscope-reorder"]


def run(arguments: list[str]) -> int:
    """Run pytest with `arguments`, on all tests unless they name a file or folder; return its exit code.

    Tests start hundreds of processes, so compiled modules are kept even where the environment forbids that. Where
    `CI` is set, pytest would give the whole of each message in the list of failures at the end too.
    """
    names_tests = any(
        (ROOT / argument.split("::")[0]).exists() for argument in arguments if not argument.startswith("-")
    )
    command = [sys.executable, "-m", "pytest", *([] if names_tests else EVERYTHING), *arguments]
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "CI")}
    return programs.call(command, cwd=ROOT, env=proxies.for_python(environment))


def _requirement_files() -> list[Path]:
    servers = sorted((ROOT / "mcp-servers").glob("*/requirements.txt"))
    return [REQUIREMENTS, *servers, ROOT / "console" / "requirements.txt"]
