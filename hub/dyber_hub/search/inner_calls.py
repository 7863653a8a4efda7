"""Reads which tool a call of `call_tool` means, and its arguments, however a model has nested them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dyber_kit.errors import ErrorCode, ServiceError

from dyber_hub.search.declarations import CALL_TOOL
from dyber_hub.texts import tr_lazy

_NAMES, _ARGUMENTS = ("name", "tool", "tool_name", "toolName"), ("arguments", "args", "parameters", "input")
# A call of call_tool with call_tool, again and again, is a mistake at some point.
_DEEPEST = 4


@dataclass(frozen=True)
class InnerCall:
    """Holds the tool that is to be called, and its arguments as the caller sent them."""

    name: str
    arguments: dict[str, Any]


def inner_call(given: Any) -> InnerCall:
    """Return the call in the arguments of `call_tool`.

    These mean the same: `{"name": "a", "arguments": {"x": 1}}`; `{"arguments": {"name": "a", "arguments": {"x": 1}}}`;
    `{"name": "a", "x": 1}`; each with JSON text in place of an object; and a call of call_tool inside a call of it.

    Raises:
        ServiceError: INVALID_ARGUMENT: no tool is named, or its arguments are no object.
    """
    call = _object(given, "arguments")
    for _ in range(_DEEPEST):
        key = next((key for key in _NAMES if isinstance(call.get(key), str) and call[key].strip()), None)
        inner = next((key for key in _ARGUMENTS if _holds_arguments(call, key)), None)
        if key is not None and call[key].strip() != CALL_TOOL:
            rest = {other: value for other, value in call.items() if other != key}
            return InnerCall(call[key].strip(), rest if inner is None else _object(rest[inner], inner))
        if inner is None:
            break
        call = _object(call[inner], inner)
    raise ServiceError(
        ErrorCode.INVALID_ARGUMENT,
        tr_lazy("name is missing: the name of the tool to call"),
        tr_lazy("Look for the tool with find_tools, then send its name as name, and its arguments as arguments"),
        fields=["name"],
    )


def unwrapped(arguments: dict[str, Any], schema: Any) -> dict[str, Any]:
    """Return the arguments of a tool without an object around them that is named like the argument of `call_tool`.

    Args:
        arguments: What the caller sent for the tool.
        schema: The tool's JSON Schema; a tool with an argument of that name keeps it.
    """
    if len(arguments) != 1 or not _holds_arguments(arguments, "arguments"):
        return arguments
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if isinstance(properties, dict) and "arguments" in properties:
        return arguments
    return _object(arguments["arguments"], "arguments")


def _holds_arguments(call: Mapping[str, Any], key: str) -> bool:
    """Return whether an entry holds all arguments of a tool; an argument of the tool itself may have the same name."""
    return key in call and (key == "arguments" or isinstance(_read(call[key]), dict))


def _object(given: Any, name: str) -> dict[str, Any]:
    read = _read(given)
    if read is None:
        return {}
    if isinstance(read, dict):
        return read
    raise ServiceError(ErrorCode.INVALID_ARGUMENT, tr_lazy("{name} must be a JSON object", name=name), fields=[name])


def _read(given: Any) -> Any:
    """Return a value, or what its JSON text says; None for a text without anything."""
    if not isinstance(given, str):
        return given
    if not given.strip():
        return None
    try:
        return json.loads(given)
    except (ValueError, RecursionError):
        return given
