"""Runs other programs and writes their output to the progress log."""

from __future__ import annotations

import os
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from messages import tr
from toolchain.errors import SetupError
from toolchain.progress import Progress

LAST_LINES_SHOWN = 15


def stream(
    command: Sequence[str],
    progress: Progress,
    *,
    what: str,
    next_step: str = "",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
    timeout: float | None = None,
) -> None:
    """Run `command` and pass each line of its output to the log and to `on_line`.

    `what` names the work in the message of the SetupError raised on a non-zero exit or after `timeout` seconds.
    """
    last: deque[str] = deque(maxlen=LAST_LINES_SHOWN)
    try:
        child = subprocess.Popen(
            list(command),
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise SetupError(
            tr("{what}: cannot start {command} ({strerror})", what=what, command=command[0], strerror=error.strerror),
            next_step,
        ) from error
    expired = threading.Event()

    def stop() -> None:
        expired.set()
        child.kill()

    timer = threading.Timer(timeout, stop) if timeout else None
    if timer:
        timer.start()
    try:
        assert child.stdout is not None
        for line in child.stdout:
            line = line.rstrip()
            last.append(line)
            progress.line(line)
            if on_line:
                on_line(line)
        code = child.wait()
    except BaseException:
        child.kill()
        child.wait()
        raise
    finally:
        if timer:
            timer.cancel()
    if expired.is_set():
        raise SetupError(tr("{what}: not done after {timeout:.0f} s", what=what, timeout=timeout), next_step)
    if code != 0:
        words = "\n".join(f"    {line}" for line in last)
        raise SetupError(tr("{what} failed (exit code {code}):\n{words}", what=what, code=code, words=words), next_step)


def output_of(command: Sequence[str], *, timeout: float = 10.0, env: Mapping[str, str] | None = None) -> str | None:
    """Return what a command prints, stripped; None if it cannot be run, fails or takes over `timeout` seconds."""
    try:
        done = subprocess.run(
            list(command),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            env=None if env is None else dict(env),
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def is_root() -> bool:
    """Tell whether this process runs as root."""
    return hasattr(os, "geteuid") and os.geteuid() == 0
