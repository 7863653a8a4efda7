"""Pulumi's Automation API, made to start Pulumi as this project needs it.

Pulumi cuts long texts after so many bytes, also within a character. The thread that reads its output would end there, and
Pulumi would wait for ever for somebody to read on, holding the stack's lock.
"""

from __future__ import annotations

import subprocess
from functools import cache
from types import SimpleNamespace
from typing import Any

from cli.system import programs


def api() -> Any:
    """Return the module of the Automation API, which takes half a second to import: only what changes a stack does."""
    start_pulumi_well()
    from pulumi import automation

    return automation


@cache
def start_pulumi_well() -> None:
    """From now on the Automation API reads what Pulumi cut as the replacement character U+FFFD, keeps a Ctrl-C from
    Pulumi where programs.apart says so, and leaves a note that Pulumi ran."""
    from pulumi.automation import _cmd

    replaced = SimpleNamespace(**{**vars(subprocess), "Popen": _popen})
    _cmd.subprocess = replaced  # type: ignore[attr-defined, assignment] # the module that it imports


def _popen(command: list[str], **options: Any) -> subprocess.Popen[Any]:
    programs.note_start(command)
    return subprocess.Popen(command, errors="replace", start_new_session=programs.apart(), **options)
