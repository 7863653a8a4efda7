"""Selects a stack for commands of pulumi that name none, which people run in the repository after a deployment."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from cli.system import programs
from cli.system.checkout import ROOT

_SECONDS = 60


def select_if_none(stack: str, project: Path = ROOT) -> None:
    """Select `stack` for the project in the folder `project`, unless a stack is selected there already.

    Pulumi selects a stack when it creates it, but not when another checkout or a restored state uses it. Nothing
    depends on the selection but such commands, so a failure is ignored.
    """
    if _is_noted(project):
        return
    options = ["--non-interactive", "--color=never"]
    if _pulumi(project, "stack", "--show-name", *options) != 0:
        _pulumi(project, "stack", "select", stack, *options)


def _is_noted(project: Path) -> bool:
    """Return whether Pulumi's own note has a selection for the backend in use, which saves asking it (0.2 s)."""
    mark = hashlib.sha1(str(project / "Pulumi.yaml").encode(), usedforsecurity=False).hexdigest()
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    for note in (home / "workspaces").glob(f"*-{mark}-workspace.json"):
        try:
            selected = json.loads(note.read_text(encoding="utf-8"))["stacks"]
            return bool(selected[os.environ["PULUMI_BACKEND_URL"]])
        except (OSError, ValueError, KeyError, TypeError):
            return False
    return False


def _pulumi(project: Path, *arguments: str) -> int:
    return programs.run(["pulumi", *arguments], cwd=project, capture_output=True, timeout=_SECONDS).returncode
