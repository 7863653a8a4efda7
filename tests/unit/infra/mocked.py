"""Programs under Pulumi's mocks: their event loops, and what of their resources is in clear."""

from __future__ import annotations

import asyncio
from typing import Any

import pulumi
from pulumi.runtime.rpc import is_rpc_secret


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


def in_clear(value: Any) -> Any:
    """What of a resource's inputs is not a secret for Pulumi."""
    if is_rpc_secret(value):
        return None
    if isinstance(value, dict):
        return {key: in_clear(item) for key, item in value.items()}
    return [in_clear(item) for item in value] if isinstance(value, list) else value
