"""Runs every tool and REST call: sets its deadline, counts and measures it, and logs how it ended."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

import anyio
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult

from dyber_kit.calling.legacy_sessions import current_session
from dyber_kit.errors import KINDS, ErrorCode, ServiceError
from dyber_kit.language import tr_lazy
from dyber_kit.observing import tracing
from dyber_kit.observing.logs import log_event, without_values
from dyber_kit.observing.metrics import Metrics

logger = logging.getLogger("dyber.calls")

Result = TypeVar("Result")

#: Names of environment variables, and how many of them are recorded of an error.
_SETTING = re.compile(r"(?<![A-Za-z0-9_./-])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?![A-Za-z0-9_/-])")
_MOST_SETTINGS = 4
_NO_SESSION = nullcontext()


class Calls:
    """Runs calls and counts them.

    Args:
        metrics: Where calls are counted.
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

        The deadline covers waiting in queues and the work itself; `anyio.current_effective_deadline()` returns it. A
        call that may already have taken effect when it is cancelled raises its own error instead of TIMEOUT.

        Raises:
            ServiceError: The error that the call raised; TIMEOUT when the deadline passed; INTERNAL for every other
                exception, with the id under which it is logged.
            MCPError: The error that the call raised.
        """
        started = time.perf_counter()
        outcome = "cancelled"
        session = current_session.get()
        self.in_flight += 1
        with _span_of(tool) as span:
            try:
                with (
                    session.used() if session else _NO_SESSION,
                    anyio.CancelScope(deadline=anyio.current_time() + self.max_seconds) as deadline,
                ):
                    result = await call()
                if deadline.cancelled_caught:
                    raise ServiceError(
                        ErrorCode.TIMEOUT,
                        tr_lazy("The operation took longer than {seconds:g} s and was ended", seconds=self.max_seconds),
                    )
                outcome = "tool_error" if _is_tool_error(result) else "ok"
                return result
            except ServiceError as error:
                outcome = str(error.code)
                _note_settings(span, error)
                raise
            except MCPError:
                outcome = "protocol_error"
                raise
            except Exception as error:
                outcome = str(ErrorCode.INTERNAL)
                raise _crash(tool, error) from error
            finally:
                self.in_flight -= 1
                seconds = time.perf_counter() - started
                _note_outcome(span, outcome)
                self._metrics.call_ended(tool, outcome, seconds)
                log_event(logger, "call", {"tool": tool, "outcome": outcome, "seconds": round(seconds, 4)})


def _span_of(tool: str) -> AbstractContextManager[tracing.Span]:
    """Return a context with the span of a call: that of its request, or a further one when that has a call already."""
    current = tracing.current()
    if not current.takes_call:
        return tracing.span(f"execute_tool {tool}", {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool})
    current.takes_call = False
    if current.attributes.get("mcp.method.name", "tools/call") == "tools/call":
        current.set_attribute("gen_ai.tool.name", tool)
    return nullcontext(current)


def _note_outcome(span: tracing.Span, outcome: str) -> None:
    span.set_attribute("mcp.outcome", outcome)
    if outcome not in ("ok", "cancelled"):
        span.fail(outcome)


def _note_settings(span: tracing.Span, error: ServiceError) -> None:
    """Record the names of the settings that a service lacks, as its error has them; nothing else of its texts."""
    if error.code is ErrorCode.NOT_CONFIGURED and span.is_recorded:
        names = dict.fromkeys(_SETTING.findall(f"{error.message} {error.next_step}"))
        if names:
            span.set_attribute("dyber.settings", " ".join(list(names)[:_MOST_SETTINGS]))


def _is_tool_error(result: object) -> bool:
    """Return whether an answer says that the call failed; a server that passes answers on has them as JSON objects."""
    if isinstance(result, dict):
        return result.get("isError") is True
    return isinstance(result, CallToolResult) and bool(result.is_error)


def _crash(tool: str, error: Exception) -> ServiceError:
    """Return the error that a caller gets for an unforeseen exception, and log the exception under the same id."""
    error_id = uuid.uuid4().hex[:12]
    logger.error("call crashed", extra={"tool": tool, "error_id": error_id}, exc_info=without_values(error))
    return ServiceError(
        ErrorCode.INTERNAL,
        tr_lazy("{cause} (id {error_id})", cause=KINDS[ErrorCode.INTERNAL].lazy_message, error_id=error_id),
        tr_lazy(
            "Ask the operator to look for the id {error_id} in the service's log; if it happens again, report the "
            "problem",
            error_id=error_id,
        ),
    )
