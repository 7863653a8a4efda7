"""Adapts how Pulumi's Automation API starts Pulumi.

Pulumi cuts long texts after a number of bytes, even within a character. The thread of the Automation API that reads its
output would end at such a character, and Pulumi would wait forever for a reader and keep the stack's lock.
"""

from __future__ import annotations

import subprocess
from functools import cache
from types import SimpleNamespace
from typing import Any

from cli.system import programs


def api() -> Any:
    """Return the module of the Automation API; importing it takes half a second, so only changes of a stack need it."""
    adapt_starting_pulumi()
    from pulumi import automation

    return automation


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
