"""Runs other programs; one that cannot be started, or does not end in time, becomes a clear error with a next step."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any

from messages import mark, tr

#: What to do when a program hangs, by its name.
WHEN_HANGING = {
    "docker": mark(
        "the Docker engine hangs: restart it (systemctl restart docker, or restart Docker Desktop) and run again"
    ),
}


#: How many blocks are under way whose programs a Ctrl-C on the terminal must not reach.
_apart: list[None] = []


@contextmanager
def in_sessions_of_their_own() -> Iterator[None]:
    """Let no program that is started inside, by whatever thread, get a Ctrl-C from this one's terminal."""
    _apart.append(None)
    try:
        yield
    finally:
        _apart.pop()


def apart() -> bool:
    """Whether a program that is started now belongs into a session of its own (subprocess's start_new_session)."""
    return bool(_apart)


#: Names of the programs that were started so far.
_started: set[str] = set()


def note_start(command: Sequence[str]) -> None:
    """Remember that the program of this command is started."""
    _started.add(PurePath(command[0]).stem)


def was_started(program: str) -> bool:
    """Whether this process has started a program of this name."""
    return program in _started


class ProgramError(Exception):
    """A program could not be started, or did not end in time; carries what to do next."""

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(message)
        self.message, self.next_step = message, next_step


def run(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[Any]:
    """As subprocess.run, which looks at no exit code. Raises ProgramError, whose message names the program and its
    first argument; the others may hold values that belong on no screen."""
    with_timeout = options.get("timeout")
    note_start(command)
    try:
        return subprocess.run(list(command), check=False, start_new_session=apart(), **options)
    except subprocess.TimeoutExpired:
        raise _hanging(command, float(with_timeout or 0)) from None
    except OSError as error:
        raise not_started(command[0], error) from None


def call(command: Sequence[str], **options: Any) -> int:
    """As subprocess.call: the program has this one's terminal. Raises ProgramError."""
    note_start(command)
    try:
        return subprocess.call(list(command), **options)
    except OSError as error:
        raise not_started(command[0], error) from None


def not_started(program: str, error: OSError) -> ProgramError:
    """The error for a program that the system does not start."""
    if isinstance(error, FileNotFoundError):
        return ProgramError(
            tr("there is no program {program}", program=program),
            tr("install {program}, or run ./deploy.sh doctor", program=program),
        )
    return ProgramError(
        tr("{program} cannot be run: {strerror}", program=program, strerror=error.strerror),
        tr("run ./deploy.sh doctor"),
    )


def _hanging(command: Sequence[str], seconds: float) -> ProgramError:
    words = " ".join(command[:2])
    step = WHEN_HANGING.get(command[0], mark("check the network and run again; see ./deploy.sh doctor"))
    return ProgramError(tr("{words} did not end within {seconds:g} s", words=words, seconds=seconds), tr(step))
