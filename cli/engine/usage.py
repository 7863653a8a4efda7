"""Measures the processor time and memory of containers, as `docker stats` does.

The engine measures only once a second, and older engines (20.10) let a request wait for that. For containers of this
machine, the same numbers are read from where the engine has them, the control groups of Linux.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.engine.engine import asking
from cli.engine.errors import NotOnEngine

PROCESSES = Path("/proc")
CONTROL_GROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Usage:
    """The processor time of a container and of the whole machine so far, and the memory that the container uses now."""

    container_nanoseconds: int
    machine_nanoseconds: int
    processors: int
    memory_bytes: int

    def percent_since(self, earlier: Usage) -> float:
        """Return the container's processor time since `earlier`, in percent of one core."""
        passed = self.machine_nanoseconds - earlier.machine_nanoseconds
        used = self.container_nanoseconds - earlier.container_nanoseconds
        return max(0.0, used / passed * self.processors * 100) if passed > 0 else 0.0


def measure(containers: Mapping[str, int]) -> dict[str, Usage]:
    """Return the usage of running containers by id; those that were removed or have stopped meanwhile are left out.

    `containers` are the ids with the process id that the engine tells. Raises EngineError.
    """
    here = {identity: from_control_groups(identity, process) for identity, process in containers.items()}
    if any(here.values()):
        # The engine is on this machine, so a container without a control group has stopped.
        return {identity: usage for identity, usage in here.items() if usage is not None}
    return _from_engine(containers)


def _from_engine(ids: Iterable[str]) -> dict[str, Usage]:
    identities = list(ids)
    if not identities:
        return {}
    with ThreadPoolExecutor(max_workers=len(identities)) as pool:
        # An engine that measures once a second answers all of them at the same time.
        usages = dict(zip(identities, pool.map(_ask, identities), strict=True))
    return {identity: usage for identity, usage in usages.items() if usage is not None}


def _ask(identity: str) -> Usage | None:
    with suppress(NotOnEngine), asking() as client:
        # A single measurement: for percentages the engine would measure twice, which takes two seconds.
        return from_statistics(client.stats(identity, stream=False, one_shot=True))
    return None


def from_statistics(statistics: Mapping[str, Any]) -> Usage | None:
    """Read the engine's statistics of a container; None means that it does not run."""
    processor, memory = statistics["cpu_stats"], statistics["memory_stats"]
    if "usage" not in memory or not processor.get("system_cpu_usage"):
        return None
    return Usage(
        container_nanoseconds=processor["cpu_usage"]["total_usage"],
        machine_nanoseconds=processor["system_cpu_usage"],
        processors=processor.get("online_cpus") or len(processor["cpu_usage"].get("percpu_usage") or [0]),
        memory_bytes=_used_memory(memory["usage"], memory.get("stats") or {}),
    )


def from_control_groups(identity: str, process: int) -> Usage | None:
    """Read the usage of a container whose first process is `process` on this machine; None if it is elsewhere."""
    try:
        groups = _groups(identity, process)
        if "cpuacct" in groups:
            nanoseconds = int((groups["cpuacct"] / "cpuacct.usage").read_text())
            memory, details = groups["memory"] / "memory.usage_in_bytes", groups["memory"] / "memory.stat"
        else:
            group = groups[""]
            nanoseconds = _values(group / "cpu.stat")["usage_usec"] * 1000
            memory, details = group / "memory.current", group / "memory.stat"
        processors = os.cpu_count() or 1
        return Usage(
            container_nanoseconds=nanoseconds,
            machine_nanoseconds=time.monotonic_ns() * processors,
            processors=processors,
            memory_bytes=_used_memory(int(memory.read_text()), _values(details)),
        )
    except (OSError, KeyError, ValueError):
        return None


def _groups(identity: str, process: int) -> dict[str, Path]:
    """Return the folders of a container's control groups by controller; "" is that of the second version.

    A group that does not have the container's id in its path is that of another process: the engine is elsewhere.
    """
    groups = {}
    for line in (PROCESSES / str(process) / "cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if identity in path:
            for name in names.split(","):
                groups[name] = CONTROL_GROUPS / names / path.lstrip("/")
    return groups


def _values(file: Path) -> dict[str, int]:
    pairs = (line.split() for line in file.read_text().splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}


def _used_memory(usage: int, details: Mapping[str, int]) -> int:
    """Return the memory without files that could be dropped from it at once, which `docker stats` leaves out too.

    Their names are those of the first and the second version of control groups.
    """
    droppable = details.get("total_inactive_file", details.get("inactive_file", 0))
    return usage - (droppable if droppable < usage else 0)
