"""Prints messages, and shows progress: live on a terminal, and as plain lines elsewhere."""

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


class _ProgressConsole(Console):
    """The console for messages and progress; if its reader goes away, the work continues without output."""

    def on_broken_pipe(self) -> None:
        # Rich would end the thread that prints. Pulumi would then wait for it forever and keep the stack's lock.
        self.quiet = True


#: Results go to stdout, everything else to stderr, so that output can be piped.
out = Console(highlight=False, soft_wrap=True)
err = _ProgressConsole(stderr=True, highlight=False, soft_wrap=True)
#: Without a terminal, long work prints its progress at this interval.
PROGRESS_INTERVAL_SECONDS = 30.0


def fail(message: str, next_step: str = "") -> None:
    """Print a message about what went wrong, and the next step."""
    err.print(Text("✗ " + message, style="bold red"))
    if next_step:
        err.print(Text("→ " + next_step, style="yellow"))


class Activities:
    """Shows the activities that are running, several at a time, each with its time.

    On a terminal this is a live table, and finished activities stay on screen with their time. Elsewhere each activity
    prints one line at its start and one at its end. The class implements toolchain.progress.Progress; `log` receives
    the raw output of tools.
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
        """Show an activity of this thread during the block; it counts as failed if the block raises."""
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
        """Start an activity, and return its key."""
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
        """End the activity of this key, and print whether it succeeded and its time."""
        with self._lock:
            activity = self._running.pop(key, None)
        if activity is None:
            return
        seconds = time.monotonic() - activity.started
        self.times.append((activity.title, seconds))
        mark, style = ("✓", "green") if ok else ("✗", "red")
        err.print(Text.assemble((mark, style), f" {activity.title} ", (duration(seconds), "dim")))

    def detail(self, text: str) -> None:
        """Show what the activity of this thread is doing."""
        activity = self._running.get(getattr(self._current, "key", 0))
        if not activity:
            return
        activity.detail = text
        now = time.monotonic()
        if not self._live and now - activity.last_printed >= PROGRESS_INTERVAL_SECONDS:
            activity.last_printed = now
            err.print(Text(f"  {activity.title}: {text} ({duration(now - activity.started)})"))

    def line(self, text: str) -> None:
        """Write a line of raw output to the log file, with passwords in URLs masked."""
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
        self.detail, self.last_printed = "", started


def use_utf8() -> None:
    """Print UTF-8 whatever the encoding of the terminal, so that Chinese output raises no error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
