"""Reads from /proc what processes use, and compares samples of it."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

#: The state of an established connection in /proc/net/tcp.
ESTABLISHED = "01"


def descendants(pid: int) -> Iterator[int]:
    """Yield the ids of a process's descendants."""
    with suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield int(child)
            yield from descendants(int(child))


def command(pid: int) -> str:
    """Return the path of a process's program; empty if the process has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
    except OSError:
        return ""


def memory(pid: int) -> float:
    """Return the memory of a process in MiB, with its share of shared memory (PSS); 0 if it has ended.

    RSS is used where PSS cannot be read, as for the processes in Chromium's sandbox.
    """
    for file, field_name in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        try:
            lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
        except OSError:
            continue
        return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(field_name)), 0.0)
    return 0.0


def first_and_last_medians(values: list[float]) -> tuple[float, float]:
    """Return the medians of the first and the last quarter, without the first tenth."""
    settled = values[len(values) // 10 :]
    quarter = max(1, len(settled) // 4)
    return statistics.median(settled[:quarter]), statistics.median(settled[-quarter:])


def open_files(pid: int) -> int:
    """Return how many files and connections a process has open; 0 if it has ended."""
    try:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except OSError:
        return 0


def connections(pid: int) -> int:
    """Return how many TCP connections are established in the network of a process; 0 if it has ended."""
    number = 0
    for family in ("tcp", "tcp6"):
        with suppress(OSError):
            lines = Path(f"/proc/{pid}/net/{family}").read_text().splitlines()[1:]
            number += sum(line.split()[3] == ESTABLISHED for line in lines)
    return number
