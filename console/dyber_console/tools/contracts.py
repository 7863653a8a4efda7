"""Compares the tools that a service lists with its locked contract, and counts what they cost agents."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from mcp.types import Tool

from dyber_console.tools.contract_changes import Change, compare

#: Bytes of text per token of a language model, roughly.
_BYTES_PER_TOKEN = 3.6


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


def differences(locked: Mapping[str, Any], tools: tuple[Tool, ...]) -> list[Change]:
    """Return how the listed tools differ from a contract, the worst first.

    Tools of the contract that are not listed are no difference: a client sees only what its scope has, and the console
    may only read.
    """
    kept: Mapping[str, Any] = locked.get("tools") or {}
    listed = {tool.name: visible(tool) for tool in tools}
    changed = {name: now for name, now in listed.items() if (kept.get(name) or {}).get("sha256") != digest(now)}
    return compare({name: kept[name] for name in changed if name in kept}, changed, complete=False)


def tokens(tool: Tool) -> int:
    """Return about how many tokens of a language model a tool costs in the list of tools."""
    text = json.dumps({"name": tool.name, **visible(tool)}, ensure_ascii=False, separators=(",", ":"))
    return round(len(text.encode()) / _BYTES_PER_TOKEN)
