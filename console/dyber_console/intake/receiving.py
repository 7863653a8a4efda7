"""Collects incoming calls and spans and records them together, several times a second."""

from __future__ import annotations

import asyncio
import ctypes
import logging
from collections.abc import Sequence
from dataclasses import replace

from dyber_console.intake.access_log import call_from_line
from dyber_console.intake.board import Board
from dyber_console.intake.files import Files
from dyber_console.intake.live import Live
from dyber_console.intake.logs import newest
from dyber_console.intake.otlp_export import Export
from dyber_console.intake.repeating import Failures
from dyber_console.records import logs
from dyber_console.records.logs import LogLine
from dyber_console.records.model import Call, Span
from dyber_console.records.store import HUB, Store

_WRITE_SECONDS = 0.5
_FILES_SECONDS = 5.0
_TIDY_SECONDS = 60.0
#: Calls and spans that wait at most; more are dropped, so that a flood costs no memory.
_MOST_WAITING = 20_000
#: How far the times that services send may be from the console's clock.
_CLOCKS_SECONDS = 3600.0

logger = logging.getLogger("dyber_console")


class Receiver:
    """Takes lines and spans, and writes them to the store in batches."""

    def __init__(self, store: Store, live: Live, files: Files, board: Board, export: Export | None = None) -> None:
        self._store = store
        self._live = live
        self._files = files
        self._board = board
        self._export = export
        self._calls: list[Call] = []
        self._spans: list[Span] = []
        self._lines: list[LogLine] = []
        self._log_failures = Failures("recording lines of logs")
        self._call_failures = Failures("recording calls")
        self._span_failures = Failures("recording spans")
        self._other_failures = Failures("reading files and tidying the records")
        self.dropped = 0

    def take_line(self, line: str) -> None:
        """Take a line of the gateway's access log."""
        self._live.last_log_at = self._live.clock()
        call = call_from_line(line)
        if call is None:
            return
        if len(self._calls) < _MOST_WAITING:
            self._calls.append(call)
        else:
            self.dropped += 1

    def take_spans(self, spans: Sequence[Span]) -> None:
        """Take spans of a service."""
        room = max(0, _MOST_WAITING - len(self._spans))
        self._spans += [replace(span, start=self._near(span.start)) for span in spans[:room]]
        self.dropped += max(0, len(spans) - room)

    def take_logs(self, lines: Sequence[LogLine]) -> None:
        """Take lines of services' logs; of very many only the last are kept, and none of services that do not exist.

        The product's own polling is left out, as it would push out everything else.
        """
        wanted = [line for line in lines if self._is_known(line.service) and not line.is_polling]
        known = [replace(line, at=self._near(line.at)) for line in wanted]
        self._lines = newest([*self._lines, *known], logs.SHOWN)

    def _is_known(self, service: str) -> bool:
        live = self._live
        return live.status_at is None or service in live.services or (service == HUB and live.hub is not None)

    def _near(self, at: float) -> float:
        """Return a time that a service sent, or the nearest to it that is at most an hour from now."""
        now = self._live.clock()
        return min(max(at, now - _CLOCKS_SECONDS), now + _CLOCKS_SECONDS)

    def write(self) -> None:
        """Record what waits; what cannot be recorded is logged and dropped."""
        lines, self._lines = self._lines, []
        calls, self._calls = self._calls, []
        spans, self._spans = self._spans, []
        with self._log_failures.logged():
            if lines and logs.add(self._store, lines):
                self._board.changed("logs")
        with self._call_failures.logged():
            if self._export is not None:
                self._export.take_calls(calls)
            if self._store.add_calls(calls):
                self._board.changed("calls")
        with self._span_failures.logged():
            if self._store.add_spans(spans):
                self._board.changed("calls")

    async def run(self) -> None:
        """Write, read changed files and tidy the store until cancelled."""
        loop = asyncio.get_running_loop()
        files_at = tidy_at = loop.time() - _TIDY_SECONDS
        while True:
            self.write()
            with self._other_failures.logged():
                if loop.time() - files_at >= _FILES_SECONDS:
                    files_at = loop.time()
                    if self._files.refresh():
                        self._board.changed("files")
                if loop.time() - tidy_at >= _TIDY_SECONDS:
                    tidy_at = loop.time()
                    self.tidy()
            await asyncio.sleep(_WRITE_SECONDS)

    def tidy(self) -> None:
        """Sum the newest half hours and drop what is too old."""
        now = self._live.clock()
        self._store.roll_up(now)
        self._store.prune(now)
        logs.prune(self._store)
        _give_memory_back()
        if self.dropped:
            logger.warning("%d calls and spans were dropped, because more came in than can be recorded", self.dropped)
            self.dropped = 0


def _give_memory_back() -> None:
    """Return memory that Python has freed to the system, where the C library can: a few MiB after pages and floods."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
