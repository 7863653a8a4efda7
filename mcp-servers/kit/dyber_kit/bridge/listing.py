"""Reads the tools that a foreign server lists, repairs or refuses what is not usable, and compares them with the lock."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp.types import ToolAnnotations
from pydantic import ValidationError

from dyber_kit.bridge.settings import read_json
from dyber_kit.contract import digest
from dyber_kit.language import tr

#: Names that every client and the gateway's scopes accept.
TOOL_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}")
_HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
_HEADER_KEY = "x-mcp-header"
_DEEPEST = 60

Visible = dict[str, Any]


@dataclass(frozen=True)
class Listing:
    """Holds the tools of a foreign server as agents may see them, and what was done to make them so.

    Attributes:
        tools: Title, description, schemas and annotations of each tool by name.
        repaired: Names of tools whose input schema was no schema of an object.
        refused: Names of tools that are not served, with the reason.
    """

    tools: dict[str, Visible]
    repaired: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()


def read_listing(listed: Sequence[Any]) -> Listing:
    """Return the usable tools of a list as a server gives it.

    An input schema that is missing or describes no object becomes that of any object. A tool whose name is not usable,
    or was listed before, is refused; the others stay.
    """
    tools: dict[str, Visible] = {}
    repaired: list[str] = []
    refused: list[tuple[str, str]] = []
    for item in listed:
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str) or not TOOL_NAME.fullmatch(name):
            refused.append((_shown(name), tr("the name is not usable")))
        elif name in tools:
            refused.append((name, tr("the name is listed twice")))
        else:
            visible, is_repaired = _visible(item)
            tools[name] = visible
            if is_repaired:
                repaired.append(name)
    return Listing(tools, tuple(repaired), tuple(refused))


def _visible(item: Mapping[str, Any]) -> tuple[Visible, bool]:
    """Return what agents see of a tool, and whether its input schema was repaired."""
    visible: Visible = {}
    title = item.get("title")
    if isinstance(title, str) and title.strip():
        visible["title"] = title
    description = item.get("description")
    visible["description"] = description if isinstance(description, str) else ""
    schema = item.get("inputSchema")
    is_usable = isinstance(schema, dict) and schema.get("type") == "object"
    visible["inputSchema"] = _without_headers(schema) if is_usable else {"type": "object"}
    output = item.get("outputSchema")
    if isinstance(output, dict) and output.get("type") == "object":
        visible["outputSchema"] = _without_headers(output)
    annotations = _annotations(item.get("annotations"))
    if annotations:
        visible["annotations"] = annotations
    return visible, not is_usable


def _annotations(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        return {}
    hints: dict[str, Any] = {name: given[name] for name in _HINTS if isinstance(given.get(name), bool)}
    return ({"title": given["title"]} if isinstance(given.get("title"), str) else {}) | hints


def _without_headers(value: Any, depth: int = 0) -> Any:
    """Return a schema without the mark that a client repeats an argument in a header: the bridge does that itself."""
    if depth > _DEEPEST:
        return value
    if isinstance(value, list):
        return [_without_headers(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {key: _without_headers(item, depth + 1) for key, item in value.items() if key != _HEADER_KEY}
    return value


def _shown(name: Any) -> str:
    return repr(name)[:60]


@dataclass(frozen=True)
class Lock:
    """Holds the tools that were reviewed, and the server's instructions."""

    tools: dict[str, Visible]
    instructions: str | None

    @classmethod
    def read(cls, file: Path) -> Lock:
        """Return the lock in `tools.lock.json`.

        Raises:
            ValueError: The file cannot be read or is no lock; the message names it.
        """
        content = read_json(file)
        tools = content.get("tools") if isinstance(content, dict) else None
        if not isinstance(tools, dict) or not all(_is_locked_tool(name, tool) for name, tool in tools.items()):
            raise ValueError(
                tr("The file {file} is no lock of tools; make it again with ./deploy.sh tools lock", file=file)
            )
        instructions = content.get("instructions")
        visible = {name: {key: tool[key] for key in tool if key != "sha256"} for name, tool in tools.items()}
        return cls(visible, instructions if isinstance(instructions, str) else None)


def _is_locked_tool(name: str, tool: Any) -> bool:
    if not TOOL_NAME.fullmatch(name) or not isinstance(tool, dict) or not isinstance(tool.get("inputSchema"), dict):
        return False
    try:
        ToolAnnotations.model_validate(tool.get("annotations") or {})
    except ValidationError:
        return False
    return True


@dataclass(frozen=True)
class Differences:
    """Names the tools that a server lists unlike the lock, does not list, or lists in addition."""

    changed: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    added: frozenset[str] = frozenset()

    @property
    def count(self) -> int:
        """Return the number of all of them."""
        return len(self.changed) + len(self.missing) + len(self.added)


def compare(lock: Lock, listing: Listing) -> Differences:
    """Return how a server's list differs from the lock; an output schema that the lock leaves out does not count."""
    changed = {
        name
        for name, locked in lock.tools.items()
        if name in listing.tools and digest(locked) != digest(like_locked(listing.tools[name], locked))
    }
    return Differences(
        frozenset(changed),
        frozenset(lock.tools.keys() - listing.tools.keys()),
        frozenset(listing.tools.keys() - lock.tools.keys()),
    )


def like_locked(visible: Visible, locked: Visible | None) -> Visible:
    """Return a listed tool without its output schema when the reviewer has taken that out of the lock."""
    if locked is None or "outputSchema" in locked:
        return visible
    return {key: value for key, value in visible.items() if key != "outputSchema"}
