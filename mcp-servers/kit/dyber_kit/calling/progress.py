"""Reports the progress of long calls regularly, so that clients with a timeout for silence keep waiting."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

from mcp.server.mcpserver import Context
from pydantic import PrivateAttr

from dyber_kit.calling.direct import CallContext, DirectRequest
from dyber_kit.language import tr

logger = logging.getLogger("dyber.progress")

#: Longest silence of a call whose caller asked for progress. Clients and proxies are promised at most 10 s.
SILENCE_SECONDS = 8.0
# The protocol requires each value to be larger than the one before. The step is small, so that the tool's own next
# value is larger than those sent during its silence.
_SMALL_STEP = 0.0001


class ReportingContext(Context[Any, Any]):
    """Extends the context of a call: remembers the last report, and reports by itself while the tool is silent."""

    _last: float = PrivateAttr(default=0.0)
    _total: float | None = PrivateAttr(default=None)
    _reported_at: float = PrivateAttr(default_factory=time.monotonic)
    _started: float = PrivateAttr(default_factory=time.monotonic)

    def __init__(self, context: Context[Any, Any]) -> None:
        super().__init__(
            request_context=context.request_context,
            mcp_server=context.mcp_server,
            input_params=context._input_params,
            subscriptions=context._subscriptions,
        )

    async def report_progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """Report progress; see `mcp.server.mcpserver.Context.report_progress`."""
        self._last, self._total, self._reported_at = progress, total, time.monotonic()
        await super().report_progress(progress, total, message)

    async def report_in_silence(self) -> None:
        """Report after each SILENCE_SECONDS in which the tool did not report anything itself; until cancelled."""
        while True:
            wait = self._reported_at + SILENCE_SECONDS - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
                continue
            seconds = round(time.monotonic() - self._started)
            message = tr("Still running, for {seconds} s so far", seconds=seconds)
            await self.report_progress(self._last + _SMALL_STEP, self._total, message)


def wants_progress(context: CallContext) -> bool:
    """Return whether the caller wants to know about the progress of its call."""
    if isinstance(context, DirectRequest):
        return False
    try:
        meta = context.request_context.meta or {}
    except ValueError:  # A call from inside the process, without a request.
        return False
    return meta.get("progress_token") is not None


def reporting(context: CallContext) -> AbstractAsyncContextManager[CallContext]:
    """Yield the context to run a tool with; until it ends, callers that requested progress get it regularly."""
    if isinstance(context, DirectRequest) or not wants_progress(context):
        return nullcontext(context)
    return _reporting(context)


@asynccontextmanager
async def _reporting(context: Context[Any, Any]) -> AsyncIterator[CallContext]:
    tracked = ReportingContext(context)
    reports = asyncio.create_task(tracked.report_in_silence())
    reports.add_done_callback(_note_failure)
    try:
        yield tracked
    finally:
        reports.cancel()


def _note_failure(reports: asyncio.Task[None]) -> None:
    if not reports.cancelled() and reports.exception():
        logger.warning("progress not sent", extra={"reason": type(reports.exception()).__name__})
