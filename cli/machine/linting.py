"""Runs the tools that check code, types, layers, spelling, scripts, workflows and Dockerfiles."""

from __future__ import annotations

import shutil
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.system import git, programs
from messages import tr
from toolchain import processes, versions
from toolchain.errors import SetupError
from toolchain.from_source import go_build
from toolchain.home import DyberHome
from toolchain.mirrors import Mirrors
from toolchain.pieces import content_key
from toolchain.progress import Progress

SCRIPTS = Path(sysconfig.get_path("scripts"))
ACTIONLINT_PACKAGE = "github.com/rhysd/actionlint/cmd/actionlint"
#: Beginnings of the first lines by which shell scripts, and files that they include, are recognised.
SHELL_LINES = ("#!/bin/sh", "#!/bin/bash", "#!/usr/bin/env bash", "# shellcheck shell=")
#: Endings of the names of files without English text, which codespell skips.
NOT_SPELLED = ("requirements.txt", "go.sum", "go.mod", ".lock.json", ".svg", ".png")
#: The packages of the hub, the console and monitoring are in folders of their own, which are no part of the distribution.
IMPORT_LINTER = (
    "import sys; sys.path += ['hub', 'console', 'monitoring']; "
    "from importlinter.cli import lint_imports_command as check; check(['--no-logo'])"
)


@dataclass(frozen=True)
class Tool:
    """A program that checks files of the repository; `fixing` is its command line for correcting them."""

    name: str
    command: tuple[str, ...]
    fixing: tuple[str, ...] = ()


class Complaint(Exception):
    """A tool found a fault; the text is the tool's output."""


def tools(root: Path) -> list[Tool]:
    """Return the tools in the order in which they run, the quick ones first. Raises SetupError."""
    files = _files(root)
    scripts = [file for file in files if _is_shell_script(root / file)]
    workflows = [file for file in files if file.startswith(".github/workflows/")]
    dockerfiles = [file for file in files if Path(file).name == "Dockerfile"]
    spelled = [file for file in files if not file.endswith(NOT_SPELLED)]
    ruff, python = _program("ruff"), sys.executable
    shellcheck = _program("shellcheck")
    return [
        Tool("ruff", (ruff, "check", "--quiet"), (ruff, "check", "--quiet", "--fix")),
        Tool("format", (ruff, "format", "--quiet", "--diff"), (ruff, "format", "--quiet")),
        Tool("codespell", (python, "-m", "codespell_lib", *spelled)),
        Tool("shellcheck", (shellcheck, *scripts)),
        Tool("actionlint", (str(actionlint(root)), "-shellcheck", shellcheck, "-pyflakes", "", *workflows)),
        Tool("hadolint", (_program("hadolint"), *dockerfiles)),
        Tool("imports", (python, "-c", IMPORT_LINTER)),
        Tool("mypy", (python, "-m", "mypy")),
    ]


def check(tool: Tool, root: Path, *, fix: bool = False) -> None:
    """Run the tool on the repository at `root`. Raises Complaint if it finds a fault that it did not correct."""
    command = tool.fixing if fix and tool.fixing else tool.command
    done = programs.run(command, cwd=root, capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise Complaint((done.stdout + done.stderr).strip())


def actionlint(root: Path) -> Path:
    """Return the path of the actionlint program, which contains a hash of its pinned versions."""
    module = root / "tests" / "actionlint"
    return SCRIPTS / f"actionlint-{content_key(files=module)}{go_build.EXE}"


def prepare(root: Path, home: DyberHome, progress: Progress) -> None:
    """Build actionlint from its Go module if it does not exist yet. Raises SetupError."""
    program = actionlint(root)
    if program.exists():
        return
    for old in SCRIPTS.glob("actionlint-*"):
        old.unlink()
    mirrors = Mirrors.from_environment()
    with progress.phase(tr("Building actionlint"), 30):
        go = go_build.find_go(home, versions.load(), mirrors, progress)
        draft = program.with_suffix(".part")
        processes.stream(
            [go, "build", "-o", str(draft), ACTIONLINT_PACKAGE],
            progress,
            what="go build actionlint",
            next_step=tr("check the Go module proxy (DYBER_GOPROXY), then try again"),
            cwd=root / "tests" / "actionlint",
            env=go_build.build_environment(home, mirrors),
        )
        draft.replace(program)


def _program(name: str) -> str:
    return shutil.which(name, path=str(SCRIPTS)) or str(SCRIPTS / name)


def _files(root: Path) -> Sequence[str]:
    listed = git.git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if listed.returncode:
        raise SetupError(
            tr("{root} is not a git clone: {error}", root=root, error=listed.stderr.strip()),
            tr("get the project with git clone, then run the checks"),
        )
    return sorted(name for name in set(listed.stdout.split("\0")) if name and (root / name).is_file())


def _is_shell_script(file: Path) -> bool:
    with file.open("rb") as opened:
        beginning = opened.read(200).decode(errors="replace").splitlines()[:2]
    return any(line.startswith(SHELL_LINES) for line in beginning)
