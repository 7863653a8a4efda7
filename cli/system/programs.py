"""Runs other programs; a program that cannot start or does not end in time raises an error with a next step."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any

from messages import mark, tr

#: The next step when a program does not end in time, by the program's name.
WHEN_HANGING = {
    "docker": mark(
        "the Docker engine does not respond: restart it (systemctl restart docker, or restart Docker "
        "Desktop) and run again"
    ),
}


#: Has one entry for each running block of in_new_sessions.
_new_session_blocks: list[None] = []


@contextmanager
def in_new_sessions() -> Iterator[None]:
    """Start all programs in new sessions inside the block, in any thread, so that a Ctrl-C does not reach them."""
    _new_session_blocks.append(None)
    try:
        yield
    finally:
        _new_session_blocks.pop()


def needs_new_session() -> bool:
    """Tell whether a program must be started with subprocess's option start_new_session now."""
    return bool(_new_session_blocks)


#: The names of all programs that this process has started.
_started: set[str] = set()


def note_start(command: Sequence[str]) -> None:
    """Record that the program of this command is started."""
    _started.add(PurePath(command[0]).stem)


def was_started(program: str) -> bool:
    """Tell whether this process has started a program of this name."""
    return program in _started


class ProgramError(Exception):
    """A program could not be started, or did not end in time; `next_step` says what the user can do."""

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(message)
        self.message, self.next_step = message, next_step


def run(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[Any]:
    """Run a program as subprocess.run does, without checking its exit code. Raises ProgramError.

    The error's message has the program and its first argument only, as other arguments may be secret.
    """
    timeout = options.get("timeout")
    note_start(command)
    try:
        return subprocess.run(list(command), check=False, start_new_session=needs_new_session(), **options)
    except subprocess.TimeoutExpired:
        raise _timed_out(command, float(timeout or 0)) from None
    except OSError as error:
        raise not_started(command[0], error) from None


def call(command: Sequence[str], **options: Any) -> int:
    """Run a program on this process's terminal as subprocess.call does; return its exit code. Raises ProgramError."""
    note_start(command)
    try:
        return subprocess.call(list(command), **options)
    except OSError as error:
        raise not_started(command[0], error) from None


def not_started(program: str, error: OSError) -> ProgramError:
    """Return the error for a program that cannot be started."""
    if isinstance(error, FileNotFoundError):
        return ProgramError(
            tr("program {program} is not installed", program=program),
            tr("install {program}, or run ./deploy.sh doctor", program=program),
        )
    return ProgramError(
        tr("{program} cannot be run: {strerror}", program=program, strerror=error.strerror),
        tr("run ./deploy.sh doctor"),
    )


def _timed_out(command: Sequence[str], seconds: float) -> ProgramError:
    words = " ".join(command[:2])
    step = WHEN_HANGING.get(command[0], mark("check the network and run again; see ./deploy.sh doctor"))
    return ProgramError(tr("{words} did not end within {seconds:g} s", words=words, seconds=seconds), tr(step))
