"""Writes what a child prints beside its messages to the log: masked, shortened, and never more than a few lines."""

from __future__ import annotations

import logging
import re
import time
from collections import deque

from dyber_kit.bridge.masking import Masker

logger = logging.getLogger("dyber.child")

_LONGEST_LINE = 8 * 1024
_LINES_PER_WINDOW = 20
_WINDOW_SECONDS = 10.0
_LINES_AT_INFO = 50
_KEPT_LINES = 20
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")


class ChildLog:
    """Logs the lines of one run of a child, and keeps the last ones for the report of its end.

    Repeated lines are counted, and lines beyond 20 in 10 s too. The first 50 lines are at INFO, the others at DEBUG.
    """

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._kept: deque[str] = deque(maxlen=_KEPT_LINES)
        self._lines = 0
        self._repeats = 0
        self._window_began = 0.0
        self._in_window = 0
        self._left_out = 0

    @property
    def last_lines(self) -> list[str]:
        """Return the last lines, without secrets and control characters."""
        return list(self._kept)

    @property
    def last_line(self) -> str:
        """Return the last line that is not empty; "" when there is none."""
        return self._kept[-1] if self._kept else ""

    def line(self, raw: bytes | str, stream: str) -> None:
        """Take one line that the child wrote.

        Args:
            raw: The line.
            stream: Where it was written: `stderr`, or `stdout` for what is no message.
        """
        text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
        # The whole line is masked first: cutting could leave a part of a secret.
        text = _CONTROL.sub("", self._masker.text(text)).strip()[:_LONGEST_LINE]
        if not text:
            return
        if text == self.last_line:
            self._repeats += 1
            return
        self._end_repeats(stream)
        self._kept.append(text)
        if self._has_room():
            self._write(text, stream)

    def close(self) -> None:
        """Log the counts that are still open."""
        self._end_repeats("stderr")
        self._end_window()

    def _has_room(self) -> bool:
        now = time.monotonic()
        if now - self._window_began >= _WINDOW_SECONDS:
            self._end_window()
            self._window_began = now
        self._in_window += 1
        if self._in_window <= _LINES_PER_WINDOW:
            return True
        self._left_out += 1
        return False

    def _end_window(self) -> None:
        if self._left_out:
            logger.info("child lines left out", extra={"lines": self._left_out})
        self._in_window = self._left_out = 0

    def _end_repeats(self, stream: str) -> None:
        if self._repeats:
            logger.info("child line repeated", extra={"times": self._repeats, "stream": stream})
        self._repeats = 0

    def _write(self, text: str, stream: str) -> None:
        self._lines += 1
        level = logging.INFO if self._lines <= _LINES_AT_INFO else logging.DEBUG
        logger.log(level, "child line", extra={"line": text, "stream": stream})
