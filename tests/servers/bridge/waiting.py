"""Waits for conditions, and reads answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
from mcp.types import CallToolResult

_LONGEST_SECONDS = 30


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    with anyio.fail_after(_LONGEST_SECONDS):
        while not condition():
            await anyio.sleep(0.02)


def received(journal: Path, method: str) -> list[dict[str, Any]]:
    """Return the messages of a method that the foreign server has noted."""
    lines = journal.read_text(encoding="utf-8").splitlines() if journal.exists() else []
    messages = [json.loads(line) for line in lines]
    return [message for message in messages if message.get("method") == method]


def code_of(result: CallToolResult) -> str:
    """Return the code of a failed call."""
    return str((result.meta or {})["dyber/error"]["code"])
