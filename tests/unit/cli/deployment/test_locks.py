"""A lock belongs to a running pulumi; a dead process, or another program with the same number, holds none."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import replace

import pytest

from cli.deployment.locks import Holder, holders_in, is_alive


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_that_is_not_pulumi_does_not_hold_a_lock() -> None:
    assert not is_alive(os.getpid())


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_running_pulumi_holds_its_lock_and_a_killed_one_does_not() -> None:
    script = "import time; open('/proc/self/comm', 'w').write('pulumi'); print(flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        assert is_alive(process.pid)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # Now it is dead, and not yet reaped.
        assert not is_alive(process.pid)
    finally:
        process.kill()
        process.wait()


def test_a_process_that_has_ended_holds_no_lock() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert not is_alive(process.pid)
    assert not is_alive(0)


def test_the_holders_that_pulumi_names_are_read() -> None:
    message = (
        "error: the stack is currently locked by 2 lock(s). Either wait for the other process(es) to end or delete the "
        "lock file with `pulumi cancel`.\n"
        "  postgres://****:****@db/state/.pulumi/locks/organization/dyber/dev/1.json: "
        "created by OFFICE\\me@pc (pid 41) at 2026-09-01T08:00:00Z\n"
        "  s3://states/.pulumi/locks/organization/dyber/dev/2.json: "
        "created by me@x.example@host (pid 42) at 2026-09-01T09:00:00Z\n"
    )
    assert holders_in(message) == [
        Holder("OFFICE\\me", "pc", 41, "2026-09-01T08:00:00Z"),
        Holder("me@x.example", "host", 42, "2026-09-01T09:00:00Z"),
    ]
    assert holders_in("error: a stack named dev already exists") == []


def test_a_lock_from_another_machine_is_kept() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    here = Holder("me", socket.gethostname(), process.pid, "")
    assert here.is_gone()
    assert not replace(here, host="another").is_gone()
