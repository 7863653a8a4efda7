"""Runs git in a checkout."""

from __future__ import annotations

import subprocess
from pathlib import Path

from cli.system import programs
from cli.system.programs import ProgramError


def git(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `git …` in the checkout `root`; the exit code is 127 if git is missing."""
    command = ["git", "-C", str(root), *arguments]
    try:
        return programs.run(command, capture_output=True, text=True, encoding="utf-8", errors="surrogateescape")
    except ProgramError as error:
        return subprocess.CompletedProcess(command, 127, "", error.message)


def git_output(root: Path, *arguments: str) -> str:
    """Return the output of git without surrounding whitespace; '' if git fails or is missing."""
    done = git(root, *arguments)
    return done.stdout.strip() if done.returncode == 0 else ""
