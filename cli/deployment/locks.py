"""Locks on a stack's state, on whatever backend: whose they are, and removing those of killed runs."""

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
    """Who made a lock, as Pulumi tells it. `since`: RFC 3339."""

    user: str
    host: str
    pid: int
    since: str

    def is_gone(self) -> bool:
        """Whether it ran on this machine and runs no more; of other machines nothing is known."""
        return self.host == socket.gethostname() and not is_alive(self.pid)


class Held(Exception):
    """Somebody is at work on the stack, or was on another machine."""

    def __init__(self, holder: Holder) -> None:
        super().__init__(f"{holder.user}@{holder.host}")
        self.holder = holder


def release_abandoned(stack: auto.Stack) -> bool:
    """Remove the locks that killed runs on this machine left, and say whether there were any. Raises Held, and then
    removes nothing."""
    home = DyberHome.from_environment()
    # Two runs that find the same abandoned lock: the second must not remove the one that the first takes next.
    with lock_at(home.locks / f"recover-{stack.name}.lock"):
        found = holders(stack)
        for holder in found:
            if not holder.is_gone():
                raise Held(holder)
        if found:
            stack.cancel()
    return bool(found)


def holders(stack: auto.Stack) -> list[Holder]:
    """Who holds the stack. Pulumi has no command that tells; but it takes the lock before it sees that a stack cannot
    be given the name that it has, and says whose locks are in its way. Its own service looks after locks itself."""
    url = os.environ.get(backend.VARIABLE, "")
    if url.startswith("http"):
        return []
    if url.startswith("file://") and not _lock_files(url, stack.name):
        return []  # As nearly always; asking Pulumi would take half a second.
    command = ["pulumi", "stack", "rename", stack.name, "--stack", stack.name, "--non-interactive", "--color=never"]
    done = programs.run(command, cwd=stack.workspace.work_dir, capture_output=True, text=True, errors="replace")
    return told(done.stderr)


def _lock_files(url: str, stack: str) -> list[Path]:
    location = urlparse(url)
    folder = Path(url2pathname(location.netloc + location.path)).expanduser()
    return list((folder / ".pulumi" / "locks").glob(f"**/{stack}/*.json"))


def told(message: str) -> list[Holder]:
    """The holders that Pulumi names in a message."""
    return [
        Holder(found["user"], found["host"], int(found["pid"]), found["since"]) for found in _HOLDER.finditer(message)
    ]


def is_alive(pid: int) -> bool:
    """Whether the process `pid` is a running pulumi: neither dead and not yet reaped, nor another program that
    got the number since."""
    if pid <= 0:
        return False
    if os.name == "nt":
        # There os.kill ends the process whatever the signal; better to ask than to break a lock that is held.
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
        return not Path("/proc/self").exists()  # without a /proc: alive, and nothing more is known
    return bool(re.search(r"^Name:\s*pulumi", status, re.MULTILINE)) and not re.search(
        r"^State:\s*[ZX]", status, re.MULTILINE
    )
