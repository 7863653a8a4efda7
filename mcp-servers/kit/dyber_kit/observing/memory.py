"""Reads how much memory this container uses and may use, from the kernel's control group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

_ROOT = Path("/sys/fs/cgroup")
#: A limit of version 1 of control groups that stands for none.
_NO_LIMIT = 2**60


@dataclass(frozen=True)
class Memory:
    """Holds the memory of a container in bytes: what cannot be taken from it at once, and the most that it may use."""

    used: int
    limit: int


def read(root: Path = _ROOT) -> Memory | None:
    """Return the memory of this container; None where the kernel does not show it, or there is no limit."""
    versions = (
        (root / "memory.current", root / "memory.max", root / "memory.stat", "inactive_file"),
        (
            root / "memory" / "memory.usage_in_bytes",
            root / "memory" / "memory.limit_in_bytes",
            root / "memory" / "memory.stat",
            "total_inactive_file",
        ),
    )
    for current, limit, statistics, cached in versions:
        try:
            used, most = int(current.read_text()), int(limit.read_text())
            lines = dict(line.split() for line in statistics.read_text().splitlines())
        except (OSError, ValueError):
            # `max` is no number.
            continue
        # Files that the kernel can drop at any time do not count.
        return Memory(max(0, used - int(lines.get(cached, 0))), most) if most < _NO_LIMIT else None
    return None


class MemoryCollector(Collector):
    """Shows `container_memory_used_bytes` and `container_memory_limit_bytes` of the service's container.

    Args:
        service: Name used as the `service` label.
        registry: Where the metrics are shown.
        root: Folder of the control group.
    """

    def __init__(self, service: str, registry: CollectorRegistry, root: Path = _ROOT) -> None:
        self._service = service
        self._root = root
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Yield both metrics; none where the memory is not known."""
        memory = read(self._root)
        if memory is None:
            return
        for name, text, value in (
            ("container_memory_used_bytes", "Memory of the container without what can be dropped.", memory.used),
            ("container_memory_limit_bytes", "Most memory that the container may use.", memory.limit),
        ):
            family = GaugeMetricFamily(name, text, labels=["service"])
            family.add_metric([self._service], value)
            yield family
