"""What a command changes on the engine for a moment, such as a container that it pauses, and putting that back.

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

from filelock import FileLock, Timeout

from cli import engine, programs
from cli.console import err
from cli.engine import EngineError
from cli.stack_file import replace_file
from toolchain.home import DyberHome
from toolchain.language import tr

#: What the engine says where nothing is left to undo.
_NOTHING_LEFT = re.compile(r"is not paused|no such container|not found", re.IGNORECASE)


@contextmanager
def put_back_afterwards(*undo: Sequence[str]) -> Iterator[None]:
    """Inside, what the docker commands `undo` put back may be changed; afterwards they are all run, also when one of
    them fails. Raises EngineError for one that failed, which the next command of dyber tries again."""
    note = _folder() / f"{os.getpid()}-{secrets.token_hex(4)}.json"
    note.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(note.with_suffix(".lock")):
            replace_file(note, json.dumps(list(map(list, undo))).encode(), 0o600)
            try:
                yield
            finally:
                problems = _undo(note)
    finally:
        note.with_suffix(".lock").unlink(missing_ok=True)
    if problems:
        raise EngineError("; ".join(problems))


def put_back_forgotten() -> None:
    """Undo what killed commands could not, and tell it. What cannot be undone now stays noted."""
    for note in sorted(_folder().glob("*.json")):
        lock = FileLock(note.with_suffix(".lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue  # Its command is still at work.
        try:
            if note.exists() and not _undo(note):
                told = tr("上次运行被中断：已复原它暂时改动的容器", "the last run was killed: put back what it had changed")
                err.print(told)
        finally:
            lock.release()
            if not note.exists():
                note.with_suffix(".lock").unlink(missing_ok=True)


def _undo(note: Path) -> list[str]:
    """Run the commands of a note, which then goes, but for those that failed; what they said."""
    problems, left = [], []
    with undisturbed():
        for command in json.loads(note.read_text(encoding="utf-8")):
            try:
                engine.docker(*command)
            except EngineError as error:
                if not _NOTHING_LEFT.search(str(error)):
                    left.append(command)
                    problems.append(f"docker {' '.join(command)}: {error}")
        if left:
            replace_file(note, json.dumps(left).encode(), 0o600)
        else:
            note.unlink(missing_ok=True)
    return problems


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
