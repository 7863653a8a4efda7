"""Whose lock is it: a run under way keeps it, a number that another program got since does not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cli.locks import is_alive


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
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and not yet reaped
        assert not is_alive(process.pid)
    finally:
        process.kill()
        process.wait()


def test_a_process_that_is_gone_holds_nothing() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert not is_alive(process.pid)
    assert not is_alive(0)
