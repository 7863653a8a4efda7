"""Names the metrics that services, the hub and the console show, from the code that makes them."""

from __future__ import annotations

from pathlib import Path

from dyber_console.intake.files import Files
from dyber_console.pages.metrics import text as console_text
from dyber_hub.metrics import HubMetrics
from dyber_kit.bridge.metrics import BridgeMetrics
from dyber_kit.observing import memory
from dyber_kit.observing.metrics import Metrics
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families


class _NoServices:
    services: tuple[str, ...] = ()


def metric_names(folder: Path) -> set[str]:
    """Return the names of all samples that a service, the bridge, the hub and the console can show.

    `folder` is an empty folder, in which a control group of the kernel is imitated.
    """
    for name, text in (("memory.current", "1"), ("memory.max", "2"), ("memory.stat", "inactive_file 0")):
        (folder / name).write_text(f"{text}\n")
    metrics = Metrics("x")
    BridgeMetrics(metrics)
    HubMetrics(metrics, _NoServices())  # type: ignore[arg-type] # its services are all that is used
    families = [*metrics.registry.collect(), *_memory(folder)]
    console = {family.name for family in text_string_to_metric_families(console_text(Files(None)))}
    return console | {name for family in families for name in _samples(family)}


def _memory(folder: Path) -> list[Metric]:
    return list(memory.MemoryCollector("x", CollectorRegistry(), folder).collect())


def _samples(family: Metric) -> set[str]:
    """Return the names of a family's samples, also where there is none yet."""
    endings = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}.get(family.type, ("",))
    return {f"{family.name}{ending}" for ending in endings}
