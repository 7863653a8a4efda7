"""How long work tells about itself. The command line brings a richer display."""

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
    """Phases may run at the same time in several threads; details belong to the thread's innermost phase."""

    def phase(self, title: str, expect_seconds: float | None = None) -> AbstractContextManager[None]:
        """Something that takes a while; leaving it with an exception means that it failed."""

    def detail(self, text: str) -> None:
        """What the running phase is doing just now; replaces the last one."""

    def line(self, text: str) -> None:
        """Raw output of a tool, for a log file rather than for the screen."""


class PlainProgress:
    """One line per phase and at most one detail every ten seconds; tool output goes to `log` when given."""

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
        """Show a line of what goes on inside a step, unless the last one was shown a moment ago."""
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
    """Something that the user should see and that takes no time."""
    with progress.phase(text):
        pass


def duration(seconds: float) -> str:
    """`8 s` / `8 秒`, `5 min` / `5 分钟`, `9 min 27 s` / `9 分 27 秒`; for people."""
    if seconds < 90:
        return tr("{seconds:.0f} s", seconds=seconds)
    minutes, rest = divmod(round(seconds), 60)
    if rest == 0:
        return tr("{minutes} min", minutes=minutes)
    return tr("{minutes} min {rest} s", minutes=minutes, rest=rest)
