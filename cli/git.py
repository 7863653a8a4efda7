"""Asking git about a checkout."""

from __future__ import annotations

import subprocess
from pathlib import Path

from cli import programs
from cli.programs import ProgramError


def git(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`git …` in the checkout `root`, its words in English; exit code 127 where there is no git."""
    command = ["git", "-C", str(root), *arguments]
    try:
        return programs.run(command, capture_output=True, text=True, encoding="utf-8", errors="surrogateescape")
    except ProgramError as error:
        return subprocess.CompletedProcess(command, 127, "", error.message)


def git_said(root: Path, *arguments: str) -> str:
    """What git says of the checkout; '' when it says nothing or is not there."""
    done = git(root, *arguments)
    return done.stdout.strip() if done.returncode == 0 else ""
