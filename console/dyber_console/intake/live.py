"""Holds the newest state of the gateway and the services, with the time at which it was read."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dyber_console.intake.metrics import Samples

#: Ages in seconds above which data is stale.
STATUS_STALE = 10.0
METRICS_STALE = 60.0


@dataclass(frozen=True)
class ServiceStatus:
    """Holds what the gateway says about a service.

    Attributes:
        state: up, degraded, down or unknown.
        code: Why it is not up, or None.
        breaker: closed, half-open or open.
    """

    state: str
    code: str | None = None
    latency_ms: float | None = None
    version: str | None = None
    tools: int | None = None
    breaker: str = "closed"
    ready: int = 0
    total: int = 0


@dataclass
class Live:
    """Holds what was read last, each with its time in seconds since 1970; a time is None before the first reading.

    Attributes:
        services: The status of each service that the gateway is configured for, by name.
        hub: The status of the hub, which offers all tools under one address; None without a hub.
        metrics: The gateway's metrics.
        service_metrics: The metrics of each service's replicas, by name of the service.
        cores: How many processor cores each service used between the last two readings, by name.
        lost_since: Since when the gateway has not answered, or None while it answers.
    """

    services: dict[str, ServiceStatus] = field(default_factory=dict)
    hub: ServiceStatus | None = None
    status_at: float | None = None
    lost_since: float | None = None
    metrics: Samples = field(default_factory=Samples)
    metrics_at: float | None = None
    service_metrics: dict[str, list[Samples]] = field(default_factory=dict)
    services_at: float | None = None
    cores: dict[str, float] = field(default_factory=dict)
    last_log_at: float | None = None
    clock: Callable[[], float] = time.time

    def status_age(self) -> float | None:
        """Return how old the status is in seconds; None before the first."""
        return None if self.status_at is None else max(0.0, self.clock() - self.status_at)

    @property
    def is_stale(self) -> bool:
        """Return whether the status is too old to call anything well."""
        age = self.status_age()
        return age is None or age > STATUS_STALE

    def note_services(self, scraped: dict[str, list[Samples]], now: float) -> None:
        """Keep the metrics of all services, and how much processor time they used since the reading before."""
        name, before = "process_cpu_seconds_total", self.service_metrics
        seconds = now - self.services_at if self.services_at is not None else 0.0
        self.cores = {}
        for service, samples in scraped.items():
            used = sum(each.total(name) for each in samples) - sum(each.total(name) for each in before.get(service, []))
            # With fewer replicas, or after a restart, the sum is smaller than before.
            if seconds > 0 and used >= 0 and len(before.get(service, [])) == len(samples):
                self.cores[service] = used / seconds
        self.service_metrics, self.services_at = scraped, now

    def started(self, service: str) -> float | None:
        """Return when the newest replica of a service started, in seconds since 1970; None when no replica says so."""
        name = "process_start_time_seconds"
        starts = [value for samples in self.service_metrics.get(service, []) for _, value in samples.matching(name)]
        return max(starts, default=None)

    def total(self, service: str, name: str, **labels: str) -> float | None:
        """Return the sum of a metric over the replicas of a service; None when no replica has it."""
        if self.metrics_at is None or self.clock() - self.metrics_at > METRICS_STALE:
            return None
        scrapes = [samples for samples in self.service_metrics.get(service, []) if samples.matching(name, **labels)]
        return sum(samples.total(name, **labels) for samples in scrapes) if scrapes else None


def read_status(content: Mapping[str, Any]) -> dict[str, ServiceStatus]:
    """Return the services of the gateway's `/api/status`; raise ValueError or TypeError when it is another document."""
    details = content.get("details")
    if not isinstance(details, dict):
        raise ValueError("the document has no details")
    return {str(name): _service(entry) for name, entry in details.items()}


def read_hub(content: Mapping[str, Any]) -> ServiceStatus | None:
    """Return the hub of the gateway's `/api/status`, or None when the stack has none."""
    entry = content.get("hub")
    return _service(entry) if isinstance(entry, dict) else None


def _service(entry: Mapping[str, Any]) -> ServiceStatus:
    replicas = entry.get("replicas") or {}
    return ServiceStatus(
        state=str(entry.get("state", "unknown")),
        code=entry.get("code"),
        latency_ms=entry.get("latency_ms"),
        version=entry.get("version"),
        tools=entry.get("tools"),
        breaker=str(entry.get("breaker", "closed")),
        ready=int(replicas.get("ready", 0)),
        total=int(replicas.get("total", 0)),
    )
