"""Helpers for programs that run with Pulumi's mocks: event loops, and the inputs that are not secret."""

from __future__ import annotations

import asyncio
from typing import Any

import pulumi
from pulumi.runtime.rpc import is_rpc_secret


def set_new_event_loop() -> None:
    """Set a new event loop for the next program.

    If an output fails, the program ends with its error. All outputs that depend on it have the same error and are not
    awaited; the loop does not report them again.
    """
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(_report_others)
    asyncio.set_event_loop(loop)


def _report_others(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if not isinstance(context.get("exception"), pulumi.RunError):
        loop.default_exception_handler(context)


def in_clear(value: Any) -> Any:
    """Return the inputs of a resource that Pulumi does not treat as secret."""
    if is_rpc_secret(value):
        return None
    if isinstance(value, dict):
        return {key: in_clear(item) for key, item in value.items()}
    return [in_clear(item) for item in value] if isinstance(value, list) else value
