"""Runs a real Redis for tests, without an engine."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

# The same program as the server; the name it is called by decides which it is.
_PROGRAM = Path("/usr/bin/redis-check-rdb")


@contextmanager
def redis_server(
    folder: Path, port: int, password: str, users: Sequence[str] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """Run Redis, whose data is lost when it ends; `users` are further users with their rules, as in redis.conf."""
    if not _PROGRAM.exists():
        pytest.fail("Redis is missing: apt-get install -y redis-tools")
    config = folder / "redis.conf"
    lines = [f"port {port}", "bind 127.0.0.1", f"requirepass {password}", 'save ""', f"dir {folder}"]
    config.write_text("\n".join([*lines, *(f"user {user}" for user in users)]) + "\n")
    server = subprocess.Popen(["redis-server", str(config)], executable=_PROGRAM, stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.02)
        yield server
    finally:
        server.send_signal(signal.SIGCONT)
        server.kill()
        server.wait()
