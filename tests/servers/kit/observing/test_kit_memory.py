"""Tests the metrics of a container's memory, in both versions of the kernel's control groups."""

from __future__ import annotations

from pathlib import Path

import pytest
from dyber_kit.observing.memory import Memory, MemoryCollector, read
from dyber_kit.observing.metrics import Metrics
from prometheus_client import CollectorRegistry, generate_latest

VERSIONS = {
    "2": ("memory.current", "memory.max", "memory.stat", "inactive_file"),
    "1": (
        "memory/memory.usage_in_bytes",
        "memory/memory.limit_in_bytes",
        "memory/memory.stat",
        "total_inactive_file",
    ),
}


def group(root: Path, version: str, used: str, limit: str, cached: int) -> Path:
    """Write the files of a control group of the kernel."""
    (root / "memory").mkdir()
    names = VERSIONS[version]
    for name, text in zip(names, (used, limit, f"anon 5\n{names[3]} {cached}\n"), strict=False):
        (root / name).write_text(f"{text.strip()}\n")
    return root


@pytest.mark.parametrize("version", VERSIONS)
def test_memory_is_counted_without_files_that_can_be_dropped(tmp_path: Path, version: str) -> None:
    assert read(group(tmp_path, version, "1000", "4096", 300)) == Memory(used=700, limit=4096)


@pytest.mark.parametrize(("version", "limit"), [("2", "max"), ("1", "9223372036854771712")])
def test_without_a_limit_there_are_no_metrics(tmp_path: Path, version: str, limit: str) -> None:
    assert read(group(tmp_path, version, "1000", limit, 0)) is None
    registry = CollectorRegistry()
    MemoryCollector("x", registry, tmp_path)
    assert generate_latest(registry) == b""


def test_where_the_kernel_shows_nothing_there_are_no_metrics(tmp_path: Path) -> None:
    assert read(tmp_path) is None


def test_the_metrics_have_the_services_name(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    MemoryCollector("x", registry, group(tmp_path, "2", "1000", "4096", 300))
    shown = generate_latest(registry).decode()
    assert 'container_memory_used_bytes{service="x"} 700.0' in shown
    assert 'container_memory_limit_bytes{service="x"} 4096.0' in shown


def test_every_service_shows_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dyber_kit.observing.memory.read", lambda root: Memory(1, 2))
    assert 'container_memory_used_bytes{service="x"} 1.0' in generate_latest(Metrics("x").registry).decode()
