"""Every tool and REST call goes through here: deadline, metrics, log line, in-flight count."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import TypeVar

import anyio
from dyber_kit import tracing
from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.legacy_sse import current_session
from dyber_kit.metrics import Metrics

logger = logging.getLogger("dyber.calls")

Result = TypeVar("Result")

class Calls:
    """Runs calls and counts them.

    Args:
        metrics: Where they are counted.
        max_seconds: Deadline of one call, in seconds.
    """

    def __init__(self, metrics: Metrics, max_seconds: float) -> None:
        self.max_seconds = max_seconds
        self.in_flight = 0
        self.draining = False
        self._metrics = metrics
        metrics.watch_in_flight(lambda: self.in_flight)

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
        with tracing.span(f"call {tool}", {"mcp.tool": tool}) as span:
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
                tracing.note_outcome(span, outcome)
                self._metrics.call_ended(tool, outcome, seconds)
                logger.info("call", extra={"tool": tool, "outcome": outcome, "seconds": round(seconds, 4)})
