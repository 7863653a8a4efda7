"""Keeps the Prometheus metrics of one service."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from dyber_kit.observing.memory import MemoryCollector

disable_created_metrics()  # type: ignore[no-untyped-call] # the library has no types for it

_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)


class Metrics:
    """Holds the metrics that /metrics shows. Make one per service for `create_app` and for every part that counts.

    Args:
        service: Name used as the `service` label.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        MemoryCollector(service, self.registry)
        self._calls = self._counter("mcp_tool_calls", "Calls by tool and outcome.", "tool", "outcome")
        self._seconds = Histogram(
            "mcp_tool_seconds",
            "Duration of calls in seconds.",
            ("service", "tool"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._by_outcome: dict[tuple[str, str], tuple[Counter, Histogram]] = {}
        self._in_flight = self._gauge("mcp_calls_in_flight", "Calls running now.")
        self._upstream = self._counter(
            "upstream_requests", "Requests to the platform by endpoint and HTTP status.", "endpoint", "status"
        )
        self._queue = self._gauge("queue_depth", "Calls waiting for their turn.", "queue")
        self._turns = self._gauge("queue_turns_today", "Turns taken since midnight.", "queue")
        self._quota_used = self._gauge("quota_used_today", "Cost of the requests since the quota's reset.", "quota")
        self._quota_size = self._gauge("quota_per_day", "Largest cost of the requests of a day.", "quota")
        self._breaker = self._gauge("breaker_state", "0 closed, 1 trying again, 2 open.", "breaker")
        self._captcha = self._gauge("captcha_pause", "1 while calls pause because of a captcha.", "breaker")
        self._login = self._gauge("login_state", "1 logged in, 0 not.", "account")
        self._pages = self._gauge("browser_pages_open", "Pages open now.")
        self._hits = self._counter("cache_hits", "Answers found in the cache.", "backend")
        self._misses = self._counter("cache_misses", "Answers not found in the cache.", "backend")
        self._redis = self._gauge("cache_redis_up", "1 while Redis answers.")

    def call_ended(self, tool: str, outcome: str, seconds: float) -> None:
        """Count one call of a tool or REST route."""
        labelled = self._by_outcome.get((tool, outcome))
        if labelled is None:
            labelled = (self._calls.labels(self.service, tool, outcome), self._seconds.labels(self.service, tool))
            self._by_outcome[(tool, outcome)] = labelled
        labelled[0].inc()
        labelled[1].observe(seconds)

    def watch_in_flight(self, read: Callable[[], float]) -> None:
        """Show `read()` as the number of calls running."""
        self._in_flight.labels(self.service).set_function(read)

    def upstream_request(self, endpoint: str, status: int | str) -> None:
        """Count one request to the platform; `status` is the HTTP status, or `error` without an answer."""
        self._upstream.labels(self.service, endpoint, str(status)).inc()

    def watch_queue(self, queue: str, depth: Callable[[], float], turns: Callable[[], float]) -> None:
        """Show how many calls wait in `queue` and how many turns it gave today."""
        self._queue.labels(self.service, queue).set_function(depth)
        self._turns.labels(self.service, queue).set_function(turns)

    def watch_quota(self, quota: str, used: Callable[[], float], per_day: Callable[[], float]) -> None:
        """Show how much of a platform's daily quota is used, and how large the quota is."""
        self._quota_used.labels(self.service, quota).set_function(used)
        self._quota_size.labels(self.service, quota).set_function(per_day)

    def watch_breaker(self, breaker: str, read: Callable[[], float]) -> None:
        """Show `read()` as a breaker's state: 0 closed, 1 trying again, 2 open."""
        self._breaker.labels(self.service, breaker).set_function(read)

    def watch_captcha(self, breaker: str, read: Callable[[], float]) -> None:
        """Show `read()` as whether calls pause because of a captcha: 1 or 0."""
        self._captcha.labels(self.service, breaker).set_function(read)

    def login_state(self, account: str, logged_in: bool) -> None:
        """Show whether `account` is logged in to the platform."""
        self._login.labels(self.service, account).set(1 if logged_in else 0)

    def watch_pages(self, read: Callable[[], float]) -> None:
        """Show `read()` as the number of browser pages open."""
        self._pages.labels(self.service).set_function(read)

    def cache_lookup(self, backend: str, hit: bool) -> None:
        """Count one lookup in the cache; `backend` is memory or redis."""
        (self._hits if hit else self._misses).labels(self.service, backend).inc()

    def redis_up(self, up: bool) -> None:
        """Show whether Redis answers."""
        self._redis.labels(self.service).set(1 if up else 0)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, ("service", *labels), registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, ("service", *labels), registry=self.registry)
