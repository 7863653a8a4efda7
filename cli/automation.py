"""Pulumi's Automation API, made to stand output that is not quite UTF-8.

Pulumi cuts long texts after so many bytes, also within a character. The thread that reads its output would end there, and
Pulumi would wait for ever for somebody to read on, holding the stack's lock.
"""

from __future__ import annotations

import subprocess
from functools import partial
from types import SimpleNamespace

from pulumi.automation import _cmd


def read_cut_characters() -> None:
    """From now on the Automation API reads what Pulumi cut as the replacement character U+FFFD."""
    _cmd.subprocess = SimpleNamespace(**{**vars(subprocess), "Popen": partial(subprocess.Popen, errors="replace")})
