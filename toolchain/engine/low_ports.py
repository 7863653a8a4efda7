"""Finds the lowest port that an engine can publish.

An engine that runs as an ordinary user needs the system's permission for ports below 1024.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from toolchain.engine.installation import Engine

PRIVILEGED_BELOW = 1024
SETTING = "net.ipv4.ip_unprivileged_port_start"
SETTING_FILE = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
#: The program that listens for a rootless Docker. The administrator may have allowed it to use all ports.
HELPER, CAPABILITY = "rootlesskit", "security.capability"


def lowest_port(engine: Engine) -> int:
    """Return the lowest port that `engine` can publish; 1 if it can publish all, or if that is unknown."""
    if not engine.rootless:
        return 1
    if sys.platform != "linux":
        return PRIVILEGED_BELOW  # the engine is in a virtual machine, which has the usual setting
    if _helper_may_use_all_ports():
        return 1
    try:
        return max(1, int(SETTING_FILE.read_text(encoding="ascii")))
    except (OSError, ValueError):
        return PRIVILEGED_BELOW


def _helper_may_use_all_ports() -> bool:
    program = shutil.which(HELPER)
    try:
        return bool(program and os.getxattr(program, CAPABILITY))
    except OSError:
        return False
