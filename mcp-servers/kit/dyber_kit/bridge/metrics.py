"""Keeps the metrics of foreign servers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from prometheus_client import Counter, Gauge

from dyber_kit.observing.metrics import Metrics

Reason = Literal["exit", "hang", "start", "lost"]
_KNOWN_REQUESTS = ("sampling/createMessage", "elicitation/create", "roots/list")


class BridgeMetrics:
    """Counts what happens to the foreign server; its labels have no text of that server.

    Args:
        metrics: The service's metrics.
    """

    def __init__(self, metrics: Metrics) -> None:
        service, registry = metrics.service, metrics.registry
        self._service = service
        self._up = Gauge("mcp_child_up", "Foreign servers that answer now.", ["service"], registry=registry)
        self._memory = Gauge(
            "mcp_child_rss_bytes",
            "Resident memory of all children and what they started.",
            ["service"],
            registry=registry,
        )
        self._start_seconds = Gauge(
            "mcp_child_start_seconds", "Duration of the last start, until the tools were listed.", ["service"],
            registry=registry,
        )  # fmt: skip
        self._differs = Gauge(
            "mcp_contract_differs", "What the foreign server lists unlike the lock.", ["service"],
            registry=registry,
        )  # fmt: skip
        self._restarts = Counter(
            "mcp_child_restarts", "Ends of the foreign server by reason.", ["service", "reason"], registry=registry
        )
        self._noise = Counter(
            "mcp_child_noise_lines", "Lines on stdout that are no message.", ["service"], registry=registry
        )
        self._unknown = Counter("mcp_child_unknown_answers", "Answers to no request.", ["service"], registry=registry)
        self._refused = Counter(
            "mcp_child_refused_requests", "Requests of the foreign server that were refused.", ["service", "method"],
            registry=registry,
        )  # fmt: skip
        self._differs.labels(service).set(0)
        for child_metric in (self._noise, self._unknown):
            child_metric.labels(service)

    def watch(self, up: Callable[[], float], memory: Callable[[], float]) -> None:
        """Show how many foreign servers answer, and the memory of all children in bytes."""
        self._up.labels(self._service).set_function(up)
        self._memory.labels(self._service).set_function(memory)

    def started(self, seconds: float) -> None:
        """Show how long the last start took."""
        self._start_seconds.labels(self._service).set(seconds)

    def ended(self, reason: Reason) -> None:
        """Count one end of the foreign server."""
        self._restarts.labels(self._service, reason).inc()

    def noise(self) -> None:
        """Count one line that is no message."""
        self._noise.labels(self._service).inc()

    def unknown_answer(self) -> None:
        """Count one answer whose request is unknown or was given up."""
        self._unknown.labels(self._service).inc()

    def refused(self, method: str) -> None:
        """Count one refused request of the foreign server."""
        self._refused.labels(self._service, method if method in _KNOWN_REQUESTS else "other").inc()

    def differs(self, count: int) -> None:
        """Show how many tools, prompts and resources differ from the lock."""
        self._differs.labels(self._service).set(count)
