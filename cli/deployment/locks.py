"""Finds who holds the locks on a stack's state, on any backend, and removes the locks of killed runs."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse
from urllib.request import url2pathname

from cli.system import programs
from toolchain.damage import lock_at
from toolchain.home import DyberHome
from toolchain.pulumi import backend

if TYPE_CHECKING:
    from pulumi import automation as auto

_HOLDER = re.compile(r"created by (?P<user>.*)@(?P<host>\S+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)")


@dataclass(frozen=True)
class Holder:
    """The run that holds a lock, as Pulumi reports it; `since` is a time as in RFC 3339."""

    user: str
    host: str
    pid: int
    since: str

    def is_gone(self) -> bool:
        """Tell whether the run was on this machine and has ended; nothing is known about runs on other machines."""
        return self.host == socket.gethostname() and not is_alive(self.pid)


class Held(Exception):
    """A running process holds the lock of the stack, or a process on another machine, which may have ended."""

    def __init__(self, holder: Holder) -> None:
        super().__init__(f"{holder.user}@{holder.host}")
        self.holder = holder


def release_abandoned(stack: auto.Stack) -> bool:
    """Remove the locks that killed runs on this machine left behind; return whether there were any.

    Raises Held if a lock may still be in use, and then removes nothing.
    """
    home = DyberHome.from_environment()
    # Two runs may find the same abandoned lock; the second must not remove the new lock of the first.
    with lock_at(home.locks / f"recover-{stack.name}.lock"):
        known = holders(stack)
        for holder in known:
            if not holder.is_gone():
                raise Held(holder)
        if known:
            stack.cancel()
    return bool(known)


def holders(stack: auto.Stack) -> list[Holder]:
    """Return the runs that hold locks of the stack.

    Pulumi has no command for that. But `pulumi stack rename` to the same name takes the lock before it refuses the
    name, and names the holders of existing locks. Pulumi Cloud manages its locks itself, so the result is empty there.
    """
    url = os.environ.get(backend.VARIABLE, "")
    if url.startswith("http"):
        return []
    if url.startswith("file://") and not _lock_files(url, stack.name):
        return []  # This is nearly always so, and asking Pulumi would take half a second.
    command = ["pulumi", "stack", "rename", stack.name, "--stack", stack.name, "--non-interactive", "--color=never"]
    done = programs.run(command, cwd=stack.workspace.work_dir, capture_output=True, text=True, errors="replace")
    return holders_in(done.stderr)


def _lock_files(url: str, stack: str) -> list[Path]:
    location = urlparse(url)
    folder = Path(url2pathname(location.netloc + location.path)).expanduser()
    return list((folder / ".pulumi" / "locks").glob(f"**/{stack}/*.json"))


def holders_in(message: str) -> list[Holder]:
    """Return the holders of locks that a message of Pulumi names."""
    return [
        Holder(match["user"], match["host"], int(match["pid"]), match["since"]) for match in _HOLDER.finditer(message)
    ]


def is_alive(pid: int) -> bool:
    """Tell whether the process `pid` is a running pulumi.

    A zombie does not count, and neither does another program that got the same number later.
    """
    if pid <= 0:
        return False
    if os.name == "nt":
        # On Windows os.kill ends the process whatever the signal, so every process counts as running.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return not Path("/proc/self").exists()  # Without /proc only the existence of the process is known.
    return bool(re.search(r"^Name:\s*pulumi", status, re.MULTILINE)) and not re.search(
        r"^State:\s*[ZX]", status, re.MULTILINE
    )
