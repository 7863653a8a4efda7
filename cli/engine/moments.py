"""Undoes temporary changes on the engine, such as a paused container, whatever happens to the command that made them.

A note that says how to undo the change is written before it. The command undoes the change at its end, also after an
error or Ctrl-C. When the command was killed, the next command of dyber finds the note and undoes the change.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cli.engine import engine
from cli.engine.errors import EngineError, NotOnEngine
from cli.system import programs
from cli.terminal.console import err
from messages import tr
from toolchain.damage import lock_at, make_folder, set_aside
from toolchain.home import DyberHome

#: The engine's answer for a container that runs already, which has no status of its own.
_NOT_PAUSED = re.compile(r"is not paused", re.IGNORECASE)


@contextmanager
def put_back_afterwards(*undo: Sequence[str]) -> Iterator[None]:
    """Undo changes that are made inside, by requests that are written like docker commands (see _request).

    All of them are made, also when one fails. Raises EngineError for those that failed, which the next command of dyber
    tries again.
    """
    from cli.stack_files.stack_file import replace_file

    note = _folder() / f"{os.getpid()}-{secrets.token_hex(4)}.json"
    make_folder(note.parent.parent)
    commands = [list(command) for command in undo]
    try:
        with lock_at(note.with_suffix(".lock")):
            replace_file(note, json.dumps(commands).encode(), 0o600)
            try:
                yield
            finally:
                problems = _undo(note, commands)
    finally:
        note.with_suffix(".lock").unlink(missing_ok=True)
    if problems:
        raise EngineError("; ".join(problems))


def put_back_forgotten() -> None:
    """Undo what killed commands left behind, and say so. The note of what cannot be undone now stays."""
    notes = sorted(_folder().glob("*.json"))
    if not notes:
        return
    # Nearly every command looks for notes, which are there only after a kill, so this is imported late.
    from filelock import Timeout

    for note in notes:
        lock = lock_at(note.with_suffix(".lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue  # Its command still runs.
        try:
            if note.exists() and (commands := _noted(note)) is not None and not _undo(note, commands):
                err.print(tr("the last run was killed: the containers that it had paused or stopped are as before"))
        finally:
            lock.release()
            if not note.exists():
                note.with_suffix(".lock").unlink(missing_ok=True)


def _noted(note: Path) -> list[list[str]] | None:
    """Return the commands of a note; None for a damaged note, which is set aside."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(list[list[str]]).validate_json(note.read_bytes(), strict=True)
    except (IsADirectoryError, ValidationError):
        set_aside(
            note,
            tr(
                "the last run was killed and may have left a container paused. See ./deploy.sh status; to go "
                "on: docker unpause CONTAINER"
            ),
        )
        return None


def _undo(note: Path, commands: list[list[str]]) -> list[str]:
    """Make the requests of a note and delete it; requests that failed stay in it. Returns their errors."""
    problems, left = [], []
    with undisturbed():
        for command in commands:
            try:
                _request(command)
            except EngineError as error:
                if not isinstance(error, NotOnEngine) and not _NOT_PAUSED.search(str(error)):
                    left.append(command)
                    problems.append(f"docker {' '.join(command)}: {error}")
        if left:
            from cli.stack_files.stack_file import replace_file

            replace_file(note, json.dumps(left).encode(), 0o600)
        else:
            note.unlink(missing_ok=True)
    return problems


def _request(command: list[str]) -> None:
    """Make a request that is written like a docker command. Raises EngineError."""
    with engine.asking() as client:
        match command:
            case ["unpause", container]:
                client.unpause(container)
            case ["rm", "--force", container]:
                client.remove_container(container, force=True)
            case ["rm", "--force", "--volumes", container]:
                client.remove_container(container, v=True, force=True)
            case _:
                raise EngineError(tr("a note asks for an unknown request"))


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let a Ctrl-C take effect only afterwards; programs that are started inside do not get it."""
    if threading.current_thread() is not threading.main_thread():
        with programs.in_new_sessions():
            yield
        return
    received = []
    previous = signal.signal(signal.SIGINT, lambda number, frame: received.append(number))
    try:
        with programs.in_new_sessions():
            yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if received:
        raise KeyboardInterrupt


def _folder() -> Path:
    return DyberHome.from_environment().locks / "moments"
