"""The one error that a person can mend by editing a file, and how validation errors become such messages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from infra.schema.corrections import as_told, correction, located
from infra.schema.setting_tree import Setting

# Pydantic's error types (https://docs.pydantic.dev/latest/errors/validation_errors/) that people meet here.
_CHINESE = {
    "extra_forbidden": "没有这个键",
    "missing": "缺少这个键",
    "int_parsing": "应为整数",
    "int_type": "应为整数",
    "float_parsing": "应为数字",
    "float_type": "应为数字",
    "bool_parsing": "应为 true 或 false",
    "bool_type": "应为 true 或 false",
    "string_type": "应为文字",
    "string_pattern_mismatch": "格式不对",
    "list_type": "应为列表",
    "tuple_type": "应为列表",
    "dict_type": "应为键值对",
    "model_type": "应为键值对",
    "literal_error": "不是可选的值",
    "string_too_short": "太短",
    "string_too_long": "太长",
    "greater_than_equal": "太小",
    "greater_than": "太小",
    "less_than_equal": "太大",
    "less_than": "太大",
}
#: Keys below which everything is secret.
_SECRET_KEYS = {"password", "secrets"}


class ConfigurationError(Exception):
    """What a person wrote cannot be used. The message names the value, the file and what to write instead,
    Chinese first, then English."""


def explain(error: ValidationError, source: str, root: Setting, prefix: str = "") -> str:
    """The problems of `error`, each naming `source` (a file), the key and the value found there, unless that is a secret;
    then the YAML to write instead, where that can be known.

    `root` is what can be set; `prefix` is what the keys of the file begin with, such as `dyber:`.
    """
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"]) or "(root)"
        chinese = _CHINESE.get(problem["type"], "不可用")
        message = problem["msg"].removeprefix("Value error, ")
        _, place = located(problem, root)
        hidden = (
            problem["type"] in ("missing", "extra_forbidden")
            or bool(_SECRET_KEYS & set(problem["loc"]))
            or _holds_secrets(problem["input"])
            or (place is not None and place.has_secrets())
        )
        # An address may hold a user and a password.
        value = "" if hidden else re.sub(r"(://)[^/@\s]+@", r"\1****@", f" = {problem['input']!r}")
        lines.append(f"{source}: {key}{value}: {chinese} / {message}")
        if instead := correction(problem, root, prefix):
            lines.append(as_told(instead))
        elif problem["type"] == "extra_forbidden":
            above = root.find([str(part) for part in problem["loc"][:-1]])
            lines.append(f"  可用的键 / known keys: {', '.join(above.properties if above else root.properties)}")
    return "\n".join(lines)


def _holds_secrets(value: Any) -> bool:
    if isinstance(value, Mapping):
        return bool(_SECRET_KEYS & set(value)) or any(map(_holds_secrets, value.values()))
    return isinstance(value, Sequence) and not isinstance(value, str | bytes) and any(map(_holds_secrets, value))
