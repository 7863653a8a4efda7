"""Shows the progress of work that takes a while. The command line has a richer display of its own."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol, TextIO

from messages import tr
from toolchain.damage import make_room_for_file


class Progress(Protocol):
    """A display of progress.

    Phases may run in several threads at once; a detail belongs to the innermost phase of its thread.
    """

    def phase(self, title: str, expect_seconds: float | None = None) -> AbstractContextManager[None]:
        """Show that a step takes place until the block ends; an exception means that the step failed."""

    def detail(self, text: str) -> None:
        """Show what the current phase is doing; replaces the last detail."""

    def line(self, text: str) -> None:
        """Record a line of a tool's raw output, which is meant for a log file rather than the screen."""


class PlainProgress:
    """Prints a line per phase and a detail at most every ten seconds. Output of tools goes to `log`, if given."""

    DETAIL_EVERY_SECONDS = 10.0

    def __init__(self, out: TextIO | None = None, log: Path | None = None) -> None:
        self._out = out if out is not None else sys.stderr
        self._log = log
        self._lock = threading.Lock()
        self._last_detail = 0.0

    def _say(self, text: str) -> None:
        with self._lock:
            print(text, file=self._out, flush=True)

    @contextmanager
    def phase(self, title: str, expect_seconds: float | None = None) -> Iterator[None]:
        """Show that the step `title` begins, and how long it took when it ends."""
        about = tr(" (about {expect_seconds})", expect_seconds=duration(expect_seconds)) if expect_seconds else ""
        self._say(f"▸ {title}{about}")
        self.line(f"== {title}")
        start = time.monotonic()
        try:
            yield
        except BaseException:
            self._say(f"✗ {title}")
            raise
        took = time.monotonic() - start
        if took >= 1:
            self._say(f"✓ {title} {tr('took')} {duration(took)}")

    def detail(self, text: str) -> None:
        """Show what a step is doing, unless the last detail was shown less than ten seconds ago."""
        now = time.monotonic()
        if now - self._last_detail >= self.DETAIL_EVERY_SECONDS:
            self._last_detail = now
            self._say(f"  {text}")

    def line(self, text: str) -> None:
        """Write a line to the log, if there is one."""
        if self._log is not None:
            with self._lock:
                make_room_for_file(self._log)
                with self._log.open("a", encoding="utf-8") as file:
                    file.write(text + "\n")


def note(progress: Progress, text: str) -> None:
    """Show a message to the user that belongs to no step."""
    with progress.phase(text):
        pass


def duration(seconds: float) -> str:
    """Return a duration as text for people, such as `8 s`, `5 min` or `9 min 27 s`."""
    if seconds < 90:
        return tr("{seconds:.0f} s", seconds=seconds)
    minutes, rest = divmod(round(seconds), 60)
    if rest == 0:
        return tr("{minutes} min", minutes=minutes)
    return tr("{minutes} min {rest} s", minutes=minutes, rest=rest)
