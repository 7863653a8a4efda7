"""Keeps a repeated step going when it fails once, and logs why."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

logger = logging.getLogger("dyber_console")


class Failures:
    """Logs the failures of a repeated step; the same failure again and again is logged once.

    Args:
        step: What fails, in words.
    """

    def __init__(self, step: str) -> None:
        self._step = step
        self._last = ""

    @contextmanager
    def logged(self) -> Iterator[None]:
        """Log an exception of the block instead of raising it."""
        try:
            yield
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            if reason != self._last:
                logger.error("%s failed and goes on with what comes next: %s", self._step, reason)
            self._last = reason
        else:
            self._last = ""
