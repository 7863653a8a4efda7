"""Keeps track of the programs that the language host started, so that they end with it."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Children:
    """A thread-safe set of running child processes."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    @contextmanager
    def watch(self, child: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
        """Track `child` until the block ends, and wait for its end; an exception in the block kills it."""
        with self._lock:
            self._running.add(child)
        try:
            yield child
        except BaseException:
            child.kill()
            raise
        finally:
            child.wait()
            with self._lock:
                self._running.discard(child)

    def stop(self, signal_to_send: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal to every child process that still runs."""
        with self._lock:
            for child in self._running:
                if child.poll() is None:
                    child.send_signal(signal_to_send)
