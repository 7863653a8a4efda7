"""Makes a form of a tool's arguments from its schema, and reads the arguments from a sent form."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dyber_console.language import tr
from dyber_console.tools.schemas import properties, required

Kind = Literal["text", "area", "segments", "select", "number", "flag", "lines", "json"]

#: Fields that are shown at once; more optional ones are folded.
SHOWN = 6
_SEGMENTS = 4
_SHORT = 12
_LONG_TEXT = 200
_SCALARS = ("string", "integer", "number")
#: Numbers beyond this have no form as text.
_HIGHEST = 1e300


@dataclass(frozen=True)
class Field:
    """Holds one argument as a field of a form.

    Attributes:
        bounds: What the schema demands, in words; "" without demands.
        value: What the field has in it at first.
    """

    name: str
    kind: Kind
    required: bool
    description: str = ""
    bounds: str = ""
    choices: tuple[str, ...] = ()
    value: str = ""
    lowest: float | None = None
    highest: float | None = None
    longest: int | None = None
    is_integer: bool = False


class UnusableArguments(ValueError):
    """Says which argument of a sent form cannot be used, and what to write instead."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


def fields(schema: Mapping[str, Any], sent: Mapping[str, str] | None = None) -> list[Field]:
    """Return the fields of a tool's arguments, the required ones first; `sent` is what was sent before.

    An argument whose schema is malformed is a field for JSON.
    """
    demanded = required(schema)
    listed = [_safe_field(name, entry, name in demanded, sent) for name, entry in properties(schema).items()]
    return sorted(listed, key=lambda field: not field.required)


def arguments(schema: Mapping[str, Any], sent: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments of a sent form; empty optional fields are left out. Raises UnusableArguments."""
    result: dict[str, Any] = {}
    for field in fields(schema):
        text = sent.get(field.name, "")
        if field.kind == "flag":
            # A box that is not ticked is not sent.
            if field.name in sent or field.value:
                result[field.name] = field.name in sent
            continue
        if text.strip() == "":
            if field.required and field.kind not in ("text", "area"):
                raise UnusableArguments(field.name, tr("{name} is missing", name=field.name))
            if field.required:
                result[field.name] = text
            continue
        result[field.name] = _value(field, text)
    return result


def _plain(entry: Any) -> Mapping[str, Any]:
    """Return the schema of an argument without `null` as an alternative."""
    if not isinstance(entry, Mapping):
        return {}
    for key in ("anyOf", "oneOf"):
        kinds = [kind for kind in entry.get(key) or () if isinstance(kind, Mapping) and kind.get("type") != "null"]
        if len(kinds) == 1:
            return {**{name: value for name, value in entry.items() if name != key}, **kinds[0]}
    kind = entry.get("type")
    if isinstance(kind, list):
        others = [name for name in kind if name != "null"]
        return {**entry, "type": others[0] if len(others) == 1 else None}
    return entry


def _safe_field(name: str, entry: Any, required: bool, sent: Mapping[str, str] | None) -> Field:
    try:
        plain = _plain(entry)
        if _is_sound(plain):
            return _field(name, plain, required, sent)
    except (TypeError, ValueError, OverflowError, AttributeError):
        pass
    return Field(name, "json", required, value=(sent or {}).get(name, ""))


def _is_sound(entry: Mapping[str, Any]) -> bool:
    """Return whether the demands of an argument's schema have the types that they must have."""
    lengths = [entry[key] for key in ("minLength", "maxLength") if key in entry]
    bounds = [entry[key] for key in ("minimum", "maximum") if key in entry]
    return (
        all(isinstance(each, int) and not isinstance(each, bool) and 0 <= each <= _HIGHEST for each in lengths)
        and all(isinstance(each, int | float) and not isinstance(each, bool) for each in bounds)
        and all(-_HIGHEST <= each <= _HIGHEST for each in bounds)
        and isinstance(entry.get("enum", []), list)
    )


def _field(name: str, entry: Mapping[str, Any], required: bool, sent: Mapping[str, str] | None) -> Field:
    kind = _kind(entry)
    default = entry.get("default")
    value = sent.get(name, "") if sent is not None else _shown(default, kind)
    return Field(
        name,
        kind,
        required,
        str(entry.get("description", "")),
        _bounds(entry),
        tuple(str(choice) for choice in entry.get("enum", ())),
        value,
        entry.get("minimum"),
        entry.get("maximum"),
        entry.get("maxLength"),
        entry.get("type") == "integer",
    )


def _kind(entry: Mapping[str, Any]) -> Kind:
    choices = entry.get("enum")
    if choices and all(isinstance(choice, str) for choice in choices):
        short = len(choices) <= _SEGMENTS and all(len(choice) <= _SHORT for choice in choices)
        return "segments" if short else "select"
    match entry.get("type"):
        case "string":
            return "area" if entry.get("maxLength", 0) > _LONG_TEXT or entry.get("format") == "textarea" else "text"
        case "integer" | "number":
            return "number"
        case "boolean":
            return "flag"
        case "array" if _plain(entry.get("items")).get("type") in _SCALARS:
            return "lines"
    return "json"


def _shown(default: Any, kind: Kind) -> str:
    if default is None or default is False:
        return ""
    if kind == "lines" and isinstance(default, list):
        return "\n".join(map(str, default))
    return json.dumps(default, ensure_ascii=False) if kind == "json" else str(default)


def _bounds(entry: Mapping[str, Any]) -> str:
    low, high = entry.get("minimum"), entry.get("maximum")
    if low is not None and high is not None:
        return f"{low:g}–{high:g}"
    if low is not None or high is not None:
        return f"≥ {low:g}" if low is not None else f"≤ {high:g}"
    shortest, longest = entry.get("minLength"), entry.get("maxLength")
    if longest is not None:
        return tr("{low}–{high} characters", low=shortest or 0, high=longest)
    return ""


def _value(field: Field, text: str) -> Any:
    if field.kind == "number":
        return _number(field, text)
    if field.kind == "lines":
        return [line.strip() for line in text.splitlines() if line.strip()]
    if field.kind == "json":
        try:
            return json.loads(text)
        except ValueError as error:
            raise UnusableArguments(field.name, tr("{name} is no JSON; write a JSON value", name=field.name)) from error
    if field.choices and text not in field.choices:
        choices = ", ".join(field.choices)
        raise UnusableArguments(field.name, tr("{name} must be one of: {choices}", name=field.name, choices=choices))
    return text


def _number(field: Field, text: str) -> int | float:
    try:
        number: int | float = int(text) if field.is_integer else float(text)
    except ValueError as error:
        raise UnusableArguments(field.name, tr("{name} must be a number", name=field.name)) from error
    too_low = field.lowest is not None and number < field.lowest
    too_high = field.highest is not None and number > field.highest
    if too_low or too_high:
        raise UnusableArguments(field.name, tr("{name} must be {bounds}", name=field.name, bounds=field.bounds))
    return number


def split(listed: Sequence[Field]) -> tuple[list[Field], list[Field]]:
    """Return the fields that are shown at once and those that are folded."""
    shown = [field for field in listed if field.required]
    others = [field for field in listed if not field.required]
    room = max(0, SHOWN - len(shown))
    return [*shown, *others[:room]], others[room:]
