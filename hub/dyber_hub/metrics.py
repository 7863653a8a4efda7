"""Counts the lists that the hub answers, and shows which services it knows."""

from __future__ import annotations

from functools import partial

from dyber_kit.observing.metrics import Metrics
from prometheus_client import Counter, Gauge

from dyber_hub.live import LiveCatalogue, State


class HubMetrics:
    """Adds what is special to the hub to the metrics of a server.

    Args:
        metrics: The metrics of the process.
        live: The services as they are.
    """

    def __init__(self, metrics: Metrics, live: LiveCatalogue) -> None:
        self._service = metrics.service
        self._lists = Counter(
            "hub_lists",
            "Lists answered by address and method.",
            ("service", "address", "method"),
            registry=metrics.registry,
        )
        answers = Gauge(
            "hub_service_answers",
            "1 while a service answers when the hub asks for its lists.",
            ("service", "listed"),
            registry=metrics.registry,
        )
        changed = Gauge(
            "hub_changed_tools",
            "How many tools a service lists unlike the deployment.",
            ("service", "listed"),
            registry=metrics.registry,
        )
        for name in live.services:
            answers.labels(self._service, name).set_function(partial(_answers, live, name))
            changed.labels(self._service, name).set_function(partial(live.changed_tools, name))

    def list_answered(self, address: str, method: str) -> None:
        """Count a list."""
        self._lists.labels(self._service, address, method).inc()


def _answers(live: LiveCatalogue, service: str) -> float:
    return float(live.state(service) is State.OK)
