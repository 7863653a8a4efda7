"""Programs that the language host started and has to end when it ends."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Children:
    """Thread-safe set of running child processes."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    @contextmanager
    def watch(self, child: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
        """Keep `child` known until the block ends; leaving it with an exception kills it."""
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

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal to every child process that still runs."""
        with self._lock:
            for child in self._running:
                if child.poll() is None:
                    child.send_signal(how)
