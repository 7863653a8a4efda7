"""Converts argument values whose meaning is certain. Pure functions over JSON values and JSON Schema rules."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from typing import Any

from dyber_kit.calling.arguments.rules import Rules, branches, closest_choice, kind_of

_INTEGER = re.compile(r"[+-]?\d{1,18}(?:\.0+)?")
_NUMBER = re.compile(r"[+-]?\d{1,18}(?:\.\d{1,18})?(?:[eE][+-]?\d{1,3})?")
_TRUE = {"true", "yes", "on", "1", "是"}
_FALSE = {"false", "no", "off", "0", "否"}
_NULL = "null"


class Unusable(ValueError):
    """Says that the meaning of a value is not certain; `nearest` is an allowed choice that it resembles."""

    def __init__(self, nearest: str | None = None) -> None:
        super().__init__("unusable value")
        self.nearest = nearest


def means_unset(value: Any, rules: Rules) -> bool:
    """Return whether a value stands for an argument that is not set: null, and texts that mean null."""
    if value is None:
        return not any(kind_of(branch) == "null" for branch in rules.get("anyOf", ()))
    if not isinstance(value, str):
        return False
    text = value.strip()
    if any(value in branch.get("enum", ()) for branch in branches(rules)):
        return False
    takes_text = any(kind_of(branch) == "string" and "enum" not in branch for branch in branches(rules))
    if takes_text:
        return text == _NULL or (not text and any(branch.get("minLength", 0) > 0 for branch in branches(rules)))
    return text in ("", _NULL)


def convert(value: Any, rules: Rules) -> Any:
    """Return `value` in the type that `rules` ask for.

    Raises:
        Unusable: The value has no certain meaning in that type.
    """
    if value is None and any(kind_of(branch) == "null" for branch in rules.get("anyOf", ())):
        return None
    choices = branches(rules)
    failure = Unusable()
    for branch in choices:
        if _fits(value, branch):
            return value
    for branch in choices:
        try:
            return _convert(value, branch)
        except Unusable as unusable:
            failure = unusable
    raise failure


def _fits(value: Any, rules: Rules) -> bool:
    if "enum" in rules:
        return any(type(value) is type(choice) and value == choice for choice in rules["enum"])
    kinds = {str: "string", bool: "boolean", int: "integer"}
    return kinds.get(type(value)) == kind_of(rules)


def _convert(value: Any, rules: Rules) -> Any:
    if "enum" in rules:
        return _choice(value, rules["enum"])
    match kind_of(rules):
        case "integer":
            return _integer(value)
        case "number":
            return _number(value)
        case "boolean":
            return _boolean(value)
        case "string":
            return _text(value)
        case "array":
            return _list(value, rules)
        case "object":
            return _object(value)
        case _:
            return value


def _choice(value: Any, choices: list[Any]) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Unusable
    plain = {_plain(str(choice)): choice for choice in choices}
    text = _plain(str(value))
    if text in plain and len(plain) == len(choices):
        return plain[text]
    raise Unusable(closest_choice(text, choices))


def _plain(text: str) -> str:
    return re.sub(r"[\s_-]+", "_", unicodedata.normalize("NFKC", text).strip().casefold())


def _integer(value: Any) -> int:
    if isinstance(value, bool):
        raise Unusable
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        if math.isfinite(value) and value.is_integer():
            return int(value)
        raise Unusable
    text = _digits(value)
    if not _INTEGER.fullmatch(text):
        raise Unusable
    return int(text.partition(".")[0])


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise Unusable
    if isinstance(value, int | float):
        number = float(value) if abs(value) < 1e300 else math.inf
    else:
        text = _digits(value)
        number = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(number):
        raise Unusable
    return number


def _digits(value: Any) -> str:
    if not isinstance(value, str):
        raise Unusable
    return unicodedata.normalize("NFKC", value).strip() if len(value) <= 60 else ""


def _boolean(value: Any) -> bool:
    text = str(int(value) if isinstance(value, float) and value in (0.0, 1.0) else value).strip().casefold()
    if not isinstance(value, str | int | float) or text not in _TRUE | _FALSE:
        raise Unusable
    return text in _TRUE


def _text(value: Any) -> str:
    """Return a value as text; a number, such as an id, becomes its digits, unless digits are lost."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unusable
    if isinstance(value, int) and abs(value) >= 10**18:
        raise Unusable
    text = repr(value)
    if not re.fullmatch(r"-?\d+(\.\d+)?", text):
        raise Unusable
    return text


def _list(value: Any, rules: Rules) -> list[Any]:
    items: Rules = rules.get("items", {})
    if isinstance(value, str):
        parsed = _parsed(value)
        value = parsed if isinstance(parsed, list) else [value]
    elif isinstance(value, bool | int | float):
        value = [value]
    if not isinstance(value, list):
        raise Unusable
    return [convert(item, items) for item in value]


def _object(value: Any) -> dict[str, Any]:
    parsed = _parsed(value) if isinstance(value, str) else value
    if not isinstance(parsed, dict):
        raise Unusable
    return parsed


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
