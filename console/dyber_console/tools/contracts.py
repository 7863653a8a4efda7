"""Compares the tools that a service lists with its locked contract, and counts what they cost agents."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from mcp.types import Tool

from dyber_console.tools.contract_changes import Change, compare
from dyber_console.tools.schemas import properties

#: Bytes of text per token of a language model, roughly.
_BYTES_PER_TOKEN = 3.6
#: The argument by which callers choose one of the accounts of a platform.
_ACCOUNT = "account"


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
    listed = {tool.name: visible(tool) for tool in tools}
    kept = {
        name: _as_listed(tool, listed[name]) for name, tool in (locked.get("tools") or {}).items() if name in listed
    }
    changed = {name: now for name, now in listed.items() if name not in kept or digest(kept[name]) != digest(now)}
    return compare({name: kept[name] for name in changed if name in kept}, changed, complete=False)


def _as_listed(locked: Mapping[str, Any], listed: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tool of a contract as its service lists it, without its hash.

    A service does not list the argument that chooses an account to a caller with a single account, and to others with
    the names of their accounts (ServiceTool.caller_parameters of the kit).
    """
    content = {key: value for key, value in locked.items() if key != "sha256"}
    schema = content.get("inputSchema") or {}
    arguments = dict(schema.get("properties") or {})
    if _ACCOUNT not in arguments or _ACCOUNT in schema.get("required", ()):
        return content
    shown = properties(listed.get("inputSchema") or {}).get(_ACCOUNT)
    if not isinstance(shown, Mapping):
        del arguments[_ACCOUNT]
    else:
        arguments[_ACCOUNT] = arguments[_ACCOUNT] | {key: shown[key] for key in ("enum", "default") if key in shown}
    return content | {"inputSchema": schema | {"properties": arguments}}


def tokens(tool: Tool) -> int:
    """Return about how many tokens of a language model a tool costs in the list of tools."""
    text = json.dumps({"name": tool.name, **visible(tool)}, ensure_ascii=False, separators=(",", ":"))
    return round(len(text.encode()) / _BYTES_PER_TOKEN)
