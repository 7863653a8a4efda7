"""Every tool and REST call goes through here: deadline, metrics, log line, in-flight count."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import TypeVar

import anyio
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.legacy_sse import current_session

logger = logging.getLogger("dyber.calls")

Result = TypeVar("Result")

disable_created_metrics()


class Calls:
    """Runs calls and counts them.

    Args:
        service: Name used as the `service` label.
        max_seconds: Deadline of one call, in seconds.
    """

    def __init__(self, service: str, max_seconds: float) -> None:
        self.service = service
        self.max_seconds = max_seconds
        self.in_flight = 0
        self.draining = False
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        labels = ("service", "tool", "outcome")
        self._calls = Counter("mcp_tool_calls", "Calls by tool and outcome.", labels, registry=self.registry)
        self._seconds = Histogram(
            "mcp_tool_seconds",
            "Duration of calls in seconds.",
            ("service", "tool"),
            buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120),
            registry=self.registry,
        )
        in_flight = Gauge("mcp_calls_in_flight", "Calls running now.", ("service",), registry=self.registry)
        in_flight.labels(service).set_function(lambda: self.in_flight)

    async def run(self, tool: str, call: Callable[[], Awaitable[Result]]) -> Result:
        """Await `call()` under the deadline and record how it ended.

        Raises:
            ServiceError: The call's own, or TIMEOUT when the deadline passed.
            Exception: Whatever else the call raised; recorded as INTERNAL.
        """
        started = time.perf_counter()
        outcome = "cancelled"
        session = current_session.get()
        self.in_flight += 1
        try:
            with session.used() if session else nullcontext(), anyio.move_on_after(self.max_seconds) as deadline:
                result = await call()
            if deadline.cancelled_caught:
                raise ServiceError(ErrorCode.TIMEOUT, f"操作超过 {self.max_seconds:g} 秒，已中止")
            outcome = "ok"
            return result
        except ServiceError as error:
            outcome = str(error.code)
            raise
        except Exception:
            outcome = str(ErrorCode.INTERNAL)
            logger.exception("call crashed", extra={"tool": tool})
            raise
        finally:
            self.in_flight -= 1
            seconds = time.perf_counter() - started
            self._calls.labels(self.service, tool, outcome).inc()
            self._seconds.labels(self.service, tool).observe(seconds)
            logger.info("call", extra={"tool": tool, "outcome": outcome, "seconds": round(seconds, 4)})
