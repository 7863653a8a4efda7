"""Compares the tools that a service lists with its locked contract, and counts what they cost agents."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mcp.types import Tool

#: Bytes of text per token of a language model, roughly.
_BYTES_PER_TOKEN = 3.6

Difference = Literal["added", "removed", "changed"]


@dataclass(frozen=True)
class ToolDifference:
    """Says how a tool differs from the locked contract; `before` and `after` are the text that agents read."""

    tool: str
    kind: Difference
    parts: tuple[str, ...] = ()
    before: str = ""
    after: str = ""


def digest(value: Any) -> str:
    """Return the SHA-256 of a JSON value as contracts have it, whatever the order of its names."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def visible(tool: Tool) -> dict[str, Any]:
    """Return what agents see of a tool, without its name."""
    content: dict[str, Any] = tool.model_dump(mode="json", by_alias=True, exclude_none=True)
    content.pop("name", None)
    content.pop("_meta", None)
    return content


def differences(locked: Mapping[str, Any], tools: tuple[Tool, ...]) -> list[ToolDifference]:
    """Return how the listed tools differ from a contract.

    Tools of the contract that are not listed are no difference: a client sees only what its scope has, and the console
    may only read.
    """
    kept: Mapping[str, Any] = locked.get("tools") or {}
    found = []
    for tool in tools:
        entry = kept.get(tool.name)
        now = visible(tool)
        if entry is None:
            found.append(ToolDifference(tool.name, "added", after=str(now.get("description", ""))))
        elif entry.get("sha256") != digest(now):
            before = {name: value for name, value in entry.items() if name != "sha256"}
            parts = tuple(sorted(name for name in {*before, *now} if before.get(name) != now.get(name)))
            if parts:
                found.append(_changed(tool.name, parts, before, now))
    return found


def _changed(name: str, parts: tuple[str, ...], before: Mapping[str, Any], now: Mapping[str, Any]) -> ToolDifference:
    if "description" not in parts:
        return ToolDifference(name, "changed", parts)
    return ToolDifference(name, "changed", parts, str(before.get("description", "")), str(now.get("description", "")))


def tokens(tool: Tool) -> int:
    """Return about how many tokens of a language model a tool costs in the list of tools."""
    text = json.dumps({"name": tool.name, **visible(tool)}, ensure_ascii=False, separators=(",", ":"))
    return round(len(text.encode()) / _BYTES_PER_TOKEN)
