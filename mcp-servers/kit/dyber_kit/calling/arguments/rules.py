"""Describes the rules of one argument, taken from its JSON Schema, in the language of the current request."""

from __future__ import annotations

import difflib
import json
from typing import Any

from dyber_kit.language import joined_names, tr

#: JSON Schema of one argument.
Rules = dict[str, Any]

_SHOWN_CHOICES = 12
_LONGEST_PATTERN = 80
_LONGEST_PURPOSE = 150
# Stands for a text that the rules do not tell.
_UNKNOWN = "…"


def branches(rules: Rules) -> list[Rules]:
    """Return the alternatives of an argument, without null; the rules themselves when there is only one."""
    alternatives = [branch for branch in rules.get("anyOf", ()) if kind_of(branch) != "null"]
    return alternatives or [rules]


def kind_of(rules: Rules) -> str | None:
    """Return the JSON type that the rules require; None when they name none."""
    if "const" in rules:
        return {str: "string", int: "integer", bool: "boolean"}.get(type(rules["const"]))
    kind = rules.get("type")
    return kind if isinstance(kind, str) else None


def allowed(rules: Rules) -> str:
    """Return which values an argument accepts, such as `must be an integer from 1 to 40`."""
    text, *alternatives = [_allowed(branch) for branch in branches(rules)]
    for alternative in alternatives:
        text = tr("{allowed}, or {alternative}", allowed=text, alternative=alternative)
    return text


def sentence(rules: Rules) -> str:
    """Return which values an argument accepts, with an example, or what it is for when there is none."""
    if has_example(rules):
        return tr("{allowed}, for example {example}", allowed=allowed(rules), example=example(rules, as_json=True))
    meaning = purpose(rules)
    return tr("{allowed}: {meaning}", allowed=allowed(rules), meaning=meaning) if meaning else allowed(rules)


def purpose(rules: Rules) -> str:
    """Return the description of an argument, shortened and without its full stop; empty without any."""
    text = " ".join(str(rules.get("description", "")).split()).rstrip("。.")
    return text if len(text) <= _LONGEST_PURPOSE else text[:_LONGEST_PURPOSE] + _UNKNOWN


def has_example(rules: Rules) -> bool:
    """Return whether the rules tell a usable value; those of most texts do not."""
    value = _example(rules)
    return bool((value[0] if isinstance(value, list) and value else value) != _UNKNOWN)


def example(rules: Rules, as_json: bool = False) -> Any:
    """Return a value within the bounds, if possible the default, or "…" for an unknown text; `as_json`: its JSON text."""
    value = _example(rules)
    return json.dumps(value, ensure_ascii=False) if as_json else value


def describe_given(value: Any) -> str:
    """Return what kind of value a caller sent; texts are not repeated, as they may be secret or malicious."""
    if value is None:
        return tr("null")
    if isinstance(value, bool):
        return tr("{value}", value=json.dumps(value))
    if isinstance(value, int | float):
        # A number of many digits would fill the message, and Python refuses to write out the longest.
        return tr("{value}", value=value) if abs(value) < 10**15 else tr("a huge number")
    if isinstance(value, str):
        return tr("a text of length {length}", length=len(value)) if value else tr("an empty text")
    if isinstance(value, list):
        return tr("a list of length {length}", length=len(value))
    return tr("an object")


def nearest_allowed(value: Any, rules: Rules) -> str | None:
    """Return the bound that a number exceeds; None for every other value."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    for branch in branches(rules):
        if "minimum" in branch and value < branch["minimum"]:
            return str(branch["minimum"])
        if "maximum" in branch and value > branch["maximum"]:
            return str(branch["maximum"])
    return None


def closest_choice(text: str, choices: list[Any]) -> str | None:
    """Return the JSON text of the choice that a text resembles; None when it resembles none."""
    close = difflib.get_close_matches(text, [str(choice) for choice in choices], 1, 0.5)
    return json.dumps(close[0], ensure_ascii=False) if close else None


def _allowed(rules: Rules) -> str:
    choices = rules.get("enum")
    if choices:
        shown = joined_names(json.dumps(choice, ensure_ascii=False) for choice in choices[:_SHOWN_CHOICES])
        if len(choices) <= _SHOWN_CHOICES:
            return tr("must be one of {choices}", choices=shown)
        return tr("must be one of {count} values, such as {choices}", count=len(choices), choices=shown)
    match kind_of(rules):
        case "integer":
            return _whole_number(rules)
        case "number":
            return _number(rules)
        case "boolean":
            return tr("must be true or false")
        case "array":
            return _list(rules)
        case "object":
            return tr("must be a JSON object")
        case "string":
            return _text(rules)
        case _:
            return tr("must be a value that this tool can use")


def _whole_number(rules: Rules) -> str:
    low, high = rules.get("minimum"), rules.get("maximum")
    if low is not None and high is not None:
        return tr("must be an integer from {low} to {high}", low=low, high=high)
    if low is not None:
        return tr("must be an integer not below {low}", low=low)
    return tr("must be an integer not above {high}", high=high) if high is not None else tr("must be an integer")


def _number(rules: Rules) -> str:
    low, high = rules.get("minimum"), rules.get("maximum")
    if low is not None and high is not None:
        return tr("must be a number from {low} to {high}", low=low, high=high)
    if low is not None:
        return tr("must be a number not below {low}", low=low)
    return tr("must be a number not above {high}", high=high) if high is not None else tr("must be a number")


def _list(rules: Rules) -> str:
    least, most = rules.get("minItems", 0), rules.get("maxItems")
    if most is not None and least:
        return tr("must be a list (of length {least} to {most})", least=least, most=most)
    if most is not None:
        return tr("must be a list (of length {most} at most)", most=most)
    return tr("must be a list (of length {least} at least)", least=least) if least else tr("must be a list")


def _text(rules: Rules) -> str:
    least, most = rules.get("minLength", 0), rules.get("maxLength")
    if most is not None and least:
        text = tr("must be a text ({least} to {most} characters)", least=least, most=most)
    elif most is not None:
        text = tr("must be a text (at most {most} characters)", most=most)
    elif least:
        text = tr("must be a text (of length {least} at least)", least=least)
    else:
        text = tr("must be a text")
    pattern = str(rules.get("pattern", ""))
    if not 0 < len(pattern) <= _LONGEST_PATTERN:
        return text
    return tr("{allowed} and match {pattern}", allowed=text, pattern=pattern)


def _example(rules: Rules) -> Any:
    if rules.get("default") not in (None, ""):
        return rules["default"]
    if rules.get("examples"):
        return rules["examples"][0]
    branch = branches(rules)[0]
    if branch.get("enum"):
        return branch["enum"][0]
    match kind_of(branch):
        case "integer" | "number":
            return branch.get("minimum", branch.get("maximum", 1))
        case "boolean":
            return True
        case "array":
            return [_example(branch.get("items", {}))]
        case "object":
            return {}
        case _:
            return _UNKNOWN
