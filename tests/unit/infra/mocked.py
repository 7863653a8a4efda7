"""Event loops for programs under Pulumi's mocks."""

from __future__ import annotations

import asyncio
from typing import Any

import pulumi


def set_new_event_loop() -> None:
    """A loop of its own for the next program.

    A program that fails ends with its error; every output that depends on the failed one holds the same error, and
    nobody awaits those. They are not reported a second time.
    """
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(_report_others)
    asyncio.set_event_loop(loop)


def _report_others(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if not isinstance(context.get("exception"), pulumi.RunError):
        loop.default_exception_handler(context)
