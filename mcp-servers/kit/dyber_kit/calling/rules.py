"""Describes the rules of one argument, taken from its JSON Schema, in Chinese. Pure functions."""

from __future__ import annotations

import difflib
import json
from typing import Any

#: JSON Schema of one argument.
Rules = dict[str, Any]

_SHOWN_CHOICES = 12
_LONGEST_PATTERN = 80


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
    """Return which values an argument accepts, such as `应为 1 到 40 的整数`."""
    return "，或".join(_allowed(branch) for branch in branches(rules))


def sentence(rules: Rules) -> str:
    """Return which values an argument accepts, with an example."""
    return f"{allowed(rules)}，例如 {example(rules, as_json=True)}"


def example(rules: Rules, as_json: bool = False) -> Any:
    """Return a value within the bounds, if possible the default; with `as_json`, its JSON text."""
    value = _example(rules)
    return json.dumps(value, ensure_ascii=False) if as_json else value


def describe_given(value: Any) -> str:
    """Return the kind and size of a caller's value; texts are not repeated, as they may be secret or malicious."""
    if value is None:
        return " null"
    if isinstance(value, bool):
        return f" {json.dumps(value)}"
    if isinstance(value, int | float):
        # A number of many digits would fill the message, and Python refuses to write out the longest.
        return f" {value}" if abs(value) < 10**15 else "很大的数"
    if isinstance(value, str):
        return f" {len(value)} 个字符的文字" if value else "空的文字"
    if isinstance(value, list):
        return f" {len(value)} 项的列表"
    return "对象"


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
        shown = "、".join(json.dumps(choice, ensure_ascii=False) for choice in choices[:_SHOWN_CHOICES])
        return f"应为 {shown} 之一" if len(choices) <= _SHOWN_CHOICES else f"应为 {shown} 等 {len(choices)} 个值之一"
    match kind_of(rules):
        case "integer":
            return f"应为{_range(rules)}整数"
        case "number":
            return f"应为{_range(rules)}数"
        case "boolean":
            return "应为 true 或 false"
        case "array":
            return f"应为列表{_size(rules, 'Items', '项')}"
        case "object":
            return "应为 JSON 对象"
        case "string":
            return f"应为文字{_size(rules, 'Length', '个字符')}{_pattern(rules)}"
        case _:
            return "应为此工具能用的值"


def _range(rules: Rules) -> str:
    low, high = rules.get("minimum"), rules.get("maximum")
    if low is not None and high is not None:
        return f" {low} 到 {high} 的"
    if low is not None:
        return f"不小于 {low} 的"
    return f"不大于 {high} 的" if high is not None else ""


def _size(rules: Rules, keyword: str, unit: str) -> str:
    least, most = rules.get(f"min{keyword}", 0), rules.get(f"max{keyword}")
    if most is not None:
        return f"（{least} 到 {most} {unit}）" if least else f"（最多 {most} {unit}）"
    return f"（至少 {least} {unit}）" if least else ""


def _pattern(rules: Rules) -> str:
    pattern = str(rules.get("pattern", ""))
    return f"，并符合 {pattern}" if 0 < len(pattern) <= _LONGEST_PATTERN else ""


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
            return "…"
