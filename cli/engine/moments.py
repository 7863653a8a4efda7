"""Undoes temporary changes on the engine, such as a paused container, whatever happens to the command that made them.

Before the change, a note says how it is undone. Whatever ends the command undoes it, Ctrl-C too; after a kill, the next
command finds the note and does.
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

#: What the engine says of a container that goes on already; it has no status of its own for that.
_NOT_PAUSED = re.compile(r"is not paused", re.IGNORECASE)


@contextmanager
def put_back_afterwards(*undo: Sequence[str]) -> Iterator[None]:
    """Inside, what the docker commands `undo` put back may be changed; afterwards they are all run, also when one of
    them fails. Raises EngineError for one that failed, which the next command of dyber tries again."""
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
    """Undo what killed commands left behind, and say so. What cannot be undone now stays noted."""
    notes = sorted(_folder().glob("*.json"))
    if not notes:
        return
    # Nearly every command looks for notes, and there are some only after a kill: the others need not wait for this.
    from filelock import Timeout

    for note in notes:
        lock = lock_at(note.with_suffix(".lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue  # Its command is still at work.
        try:
            if note.exists() and (commands := _noted(note)) is not None and not _undo(note, commands):
                told = tr("the last run was killed: the containers that it had paused or stopped are as before")
                err.print(told)
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
    """Run the commands of a note and delete it; commands that failed stay in it. Returns their errors."""
    problems, left = [], []
    with undisturbed():
        for command in commands:
            try:
                _run(command)
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


def _run(command: list[str]) -> None:
    """Do what one command of a note says. Raises EngineError."""
    with engine.asking() as client:
        match command:
            case ["unpause", container]:
                client.unpause(container)
            case ["rm", "--force", container]:
                client.remove_container(container, force=True)
            case ["rm", "--force", "--volumes", container]:
                client.remove_container(container, v=True, force=True)
            case _:
                raise EngineError(tr("an unknown command to put something back"))


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let Ctrl-C wait until this is over; the programs that are started inside do not get it."""
    if threading.current_thread() is not threading.main_thread():
        with programs.in_sessions_of_their_own():
            yield
        return
    asked = []
    previous = signal.signal(signal.SIGINT, lambda number, frame: asked.append(number))
    try:
        with programs.in_sessions_of_their_own():
            yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if asked:
        raise KeyboardInterrupt


def _folder() -> Path:
    return DyberHome.from_environment().locks / "moments"
