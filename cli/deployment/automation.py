"""Adapts how Pulumi's Automation API starts Pulumi.

Pulumi cuts long texts after a number of bytes, even within a character. The thread of the Automation API that reads its
output would end at such a character, and Pulumi would wait forever for a reader and keep the stack's lock.
"""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from cli.system import programs
from toolchain import versions

if TYPE_CHECKING:
    from pulumi import automation as auto


def api() -> Any:
    """Return the module of the Automation API; importing it takes half a second, so only changes of a stack need it."""
    adapt_starting_pulumi()
    from pulumi import automation

    return automation


def known_stack(name: str, work_dir: Path) -> auto.Stack:
    """Return a stack that the state is known to have.

    Unlike `select_stack` of the Automation API it does not ask Pulumi for its version, select the stack for commands
    that do not name one, and ask for outputs and history after each update; each takes 0.2 s and is known otherwise.
    """
    module = api()
    from pulumi.automation._stack import StackInitMode
    from semver import VersionInfo

    class Command(module.PulumiCommand):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self.command = "pulumi"
            self.version = VersionInfo.parse(versions.load().pulumi_cli)  # or newer

    class Workspace(module.LocalWorkspace):  # type: ignore[misc, name-defined]
        def select_stack(self, stack_name: str) -> None:
            """Do nothing: every command names its stack."""

    class Stack(module.Stack):  # type: ignore[misc, name-defined]
        def info(self, show_secrets: bool = True) -> SimpleNamespace:
            """Return nothing: the changes are counted by the events."""
            return SimpleNamespace()

    workspace = Workspace(work_dir=str(work_dir), pulumi_command=Command())
    return Stack(name, workspace, StackInitMode.SELECT)


@cache
def adapt_starting_pulumi() -> None:
    """Make the Automation API start Pulumi as this project needs it.

    Characters that Pulumi cut are read as the replacement character U+FFFD. A Ctrl-C does not reach Pulumi inside
    programs.in_new_sessions. programs.was_started knows that Pulumi was started.
    """
    from pulumi.automation import _cmd

    replaced = SimpleNamespace(**{**vars(subprocess), "Popen": _popen})
    _cmd.subprocess = replaced  # type: ignore[attr-defined, assignment] # the module that it imports


def _popen(command: list[str], **options: Any) -> subprocess.Popen[Any]:
    programs.note_start(command)
    return subprocess.Popen(command, errors="replace", start_new_session=programs.needs_new_session(), **options)
