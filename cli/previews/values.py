"""Shows values of a preview: long texts are shortened, and values that may be secret are hidden."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from cli.previews.model import UNKNOWN
from cli.terminal.masking import HIDDEN, SECRET_NAME
from infra.schema.key_paths import dotted
from messages import tr

#: Stands for a value that is not known before the update.
NOT_YET_KNOWN = "\0"
#: For longer texts, the number of characters is shown.
MAX_TEXT = 200


def changed_settings(before: str, after: str) -> list[tuple[str, str, str]]:
    """Return (key, before, after) for each setting that differs between two texts of a stack's file, secrets masked."""
    old, new = _settings(before), _settings(after)
    return [
        (dotted(path), shown_value(path, old.get(path)), shown_value(path, new.get(path)))
        for path in sorted({*old, *new})
        if old.get(path) != new.get(path)
    ]


def shown_variable(text: str) -> str:
    """Return `NAME=value` with the value hidden if the name means that it is secret."""
    name, separator, value = text.partition("=")
    return f"{name}={HIDDEN}" if separator and SECRET_NAME.search(name) else _short(f"{name}{separator}{value}")


def shown_value(path: Sequence[str], value: Any) -> str:
    """Return the value of a setting or property as text, hidden if its path or its form means that it is secret."""
    if value is None:
        return "–"
    if value == UNKNOWN:
        return NOT_YET_KNOWN
    if isinstance(value, Mapping) and "secure" in value:
        return HIDDEN
    # The names of tools in a contract say nothing about their values, which are `read` or `write`.
    is_a_tool = list(path[2:-1]) == ["contract", "tools"]
    if "secrets" in path and not is_a_tool:
        return HIDDEN
    if SECRET_NAME.search(path[-1]) and not is_a_tool and not isinstance(value, bool | int | float | Mapping):
        return HIDDEN
    return _short(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _short(text: str) -> str:
    return text if len(text) <= MAX_TEXT else tr("({count} characters)", count=len(text))


def _settings(text: str) -> dict[tuple[str, ...], Any]:
    """Return settings by path without the namespace; the value of a secret is its ciphertext."""
    settings: dict[tuple[str, ...], Any] = {}

    def walk(path: tuple[str, ...], value: Any) -> None:
        if isinstance(value, Mapping) and value and "secure" not in value:
            for key, inner in value.items():
                walk((*path, str(key)) if path else (str(key).removeprefix("dyber:"),), inner)
        else:
            settings[path] = value

    if config := (yaml.safe_load(text) or {}).get("config"):
        walk((), config)
    return settings
