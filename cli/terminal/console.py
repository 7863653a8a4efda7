"""What people see: one console, and a progress display that is quiet and plain when not on a terminal."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from messages import tr
from toolchain.damage import make_room_for_file
from toolchain.progress import duration
from toolchain.pulumi.backend import masked


class _Narration(Console):
    """What is told of work in progress. When nobody listens any more, the work goes on."""

    def on_broken_pipe(self) -> None:
        # Rich's own would end the thread that tells, and Pulumi would wait for it for ever, holding the stack's lock.
        self.quiet = True


#: Results go to stdout, everything else to stderr, so that output can be piped.
out = Console(highlight=False, soft_wrap=True)
err = _Narration(stderr=True, highlight=False, soft_wrap=True)
#: How often long work tells where it is when there is no terminal to show a clock on.
SIGN_OF_LIFE_SECONDS = 30.0


def fail(message: str, next_step: str = "") -> None:
    """One clear message about what went wrong, and the next step."""
    err.print(Text("✗ " + message, style="bold red"))
    if next_step:
        err.print(Text("→ " + next_step, style="yellow"))


class Activities:
    """Lines of work in progress with a clock each, several at a time; finished ones stay on screen with their time.

    On a terminal a live table; elsewhere one line at the start and one at the end of each. Implements
    toolchain.progress.Progress; `log` receives the raw output of tools.
    """

    def __init__(self, log: Path | None = None) -> None:
        self._log = log
        self._lock = threading.RLock()
        self._running: dict[int, _Activity] = {}
        self._current = threading.local()
        self._live: Live | None = None
        self.times: list[tuple[str, float]] = []

    def __enter__(self) -> Activities:
        if err.is_terminal:
            self._live = Live(
                console=err, get_renderable=self._table, refresh_per_second=4, transient=True, redirect_stdout=False
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    @contextmanager
    def phase(self, title: str, expect_seconds: float | None = None) -> Iterator[None]:
        """Work of this thread; ends with its time, or with a cross when it raises."""
        outer = getattr(self._current, "key", None)
        key = self.start(title, expect_seconds)
        self._current.key = key
        try:
            yield
        except BaseException:
            self.finish(key, ok=False)
            raise
        else:
            self.finish(key)
        finally:
            self._current.key = outer

    def start(self, title: str, expect_seconds: float | None = None) -> int:
        """Begin a line of work; returns its key."""
        activity = _Activity(title, time.monotonic(), expect_seconds)
        with self._lock:
            key = id(activity)
            self._running[key] = activity
        self.line(f"== {title}")
        if not self._live:
            about = f" ({tr('about')} {duration(expect_seconds)})" if expect_seconds else ""
            err.print(Text(f"▸ {title}{about}"))
        return key

    def finish(self, key: int, ok: bool = True) -> None:
        """End the line of work called `key`."""
        with self._lock:
            activity = self._running.pop(key, None)
        if activity is None:
            return
        seconds = time.monotonic() - activity.started
        self.times.append((activity.title, seconds))
        mark, style = ("✓", "green") if ok else ("✗", "red")
        err.print(Text.assemble((mark, style), f" {activity.title} ", (duration(seconds), "dim")))

    def detail(self, text: str) -> None:
        """What this thread's work is doing just now."""
        activity = self._running.get(getattr(self._current, "key", 0))
        if not activity:
            return
        activity.detail = text
        now = time.monotonic()
        if not self._live and now - activity.told >= SIGN_OF_LIFE_SECONDS:
            activity.told = now
            err.print(Text(f"  {activity.title}: {text} ({duration(now - activity.started)})"))

    def line(self, text: str) -> None:
        """Raw output, kept in the log file, without passwords in URLs."""
        if self._log:
            text = masked(text)
            with self._lock:
                make_room_for_file(self._log)
                with self._log.open("a", encoding="utf-8") as file:
                    file.write(text + "\n")

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 1))
        now = time.monotonic()
        with self._lock:
            running = list(self._running.values())
        for activity in running:
            spinner = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"[int(now * 8) % 10]
            clock = duration(now - activity.started)
            if activity.expect_seconds:
                clock += f" / {tr('about')} {duration(activity.expect_seconds)}"
            table.add_row(
                Text(spinner, style="cyan"),
                activity.title,
                Text(clock, style="dim"),
                Text(activity.detail, style="dim"),
            )
        return table


class _Activity:
    def __init__(self, title: str, started: float, expect_seconds: float | None) -> None:
        self.title, self.started, self.expect_seconds = title, started, expect_seconds
        self.detail, self.told = "", started


def use_utf8() -> None:
    """Chinese output must not die on a terminal with a narrow encoding."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
