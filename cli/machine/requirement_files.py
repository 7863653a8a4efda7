"""Generates the requirements.txt files, which pin every Python package with the hashes of its files."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from messages import tr
from toolchain import processes, proxies, versions
from toolchain.mirrors import Mirrors
from toolchain.progress import Progress


def sources(root: Path) -> dict[Path, Path]:
    """Return by requirements.txt the file that it is generated from.

    The order matters: a file with a line `-c` uses the versions of a requirements.txt that is generated before it.
    """
    servers = root / "mcp-servers"
    kit = {servers / "kit" / "requirements.txt": servers / "kit" / "pyproject.toml"}
    support = root / "tests" / "support"
    apart = [support / name / "requirements.in" for name in ("foreign", "old_clients")]
    tests = [root / "tests" / "requirements.in", *apart]
    named = [*sorted(servers.glob("*/requirements.in")), root / "requirements.in", *tests]
    return kit | {file.with_suffix(".txt"): file for file in named}


def lock(root: Path, progress: Progress, *, upgrade: bool = False) -> list[Path]:
    """Generate all requirements.txt files, and return those that changed. Raises SetupError.

    Indirect dependencies keep their versions; with `upgrade` they get the newest ones.
    """
    changed = []
    for target, source in sources(root).items():
        name = target.relative_to(root).as_posix()
        before = target.read_bytes() if target.exists() else b""
        with progress.phase(name):
            processes.stream(
                [
                    sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes",
                    "--python-version", versions.load().python_minimum,
                    "--custom-compile-command", "./deploy.sh lock",
                    source.name, "--output-file", target.name, *(["--upgrade"] if upgrade else []),
                ],
                progress,
                what=name,
                next_step=tr("check the versions in {file} and the network (DYBER_PIP_INDEX_URL), then try again", file=source.relative_to(root)),
                cwd=source.parent,
                env=_environment(),
            )  # fmt: skip
        if target.read_bytes() != before:
            changed.append(target)
    return changed


def _environment() -> dict[str, str]:
    mirrors = Mirrors.from_environment()
    env = proxies.for_python(os.environ)
    if mirrors.pip_index_url:
        env["UV_DEFAULT_INDEX"] = mirrors.pip_index_url
    if mirrors.ca_bundle:
        env["SSL_CERT_FILE"] = str(mirrors.ca_bundle)
    return env
