"""How values of a preview are shown: short, and hidden where they are, or may be, secret."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from cli.previews.model import UNKNOWN
from cli.terminal.masking import HIDDEN, SECRET_NAME
from infra.schema.key_paths import dotted
from messages import tr

#: A stand-in for a text that is not known before the update.
LATER = "\0"
#: Differences of longer texts are counted, not shown.
MOST_TEXT = 200


def changed_settings(before: str, after: str) -> list[tuple[str, str, str]]:
    """(key, before, after) of the settings that differ between two texts of a stack's file, secrets masked."""
    old, new = _settings(before), _settings(after)
    return [
        (dotted(path), shown_value(path, old.get(path)), shown_value(path, new.get(path)))
        for path in sorted({*old, *new})
        if old.get(path) != new.get(path)
    ]


def shown_variable(text: str) -> str:
    """`NAME=value`, with the value hidden where the name says that it is secret."""
    name, separator, value = text.partition("=")
    return f"{name}={HIDDEN}" if separator and SECRET_NAME.search(name) else _short(f"{name}{separator}{value}")


def shown_value(path: Sequence[str], value: Any) -> str:
    """A setting's or property's value, hidden where its path or its mark says that it is secret."""
    if value is None:
        return "–"
    if value == UNKNOWN:
        return LATER
    if isinstance(value, Mapping) and "secure" in value:
        return HIDDEN
    # What a tool is called says nothing of the word beside it, which is read or write.
    is_a_tool = list(path[2:-1]) == ["contract", "tools"]
    if "secrets" in path and not is_a_tool:
        return HIDDEN
    if SECRET_NAME.search(path[-1]) and not is_a_tool and not isinstance(value, bool | int | float | Mapping):
        return HIDDEN
    return _short(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _short(text: str) -> str:
    return text if len(text) <= MOST_TEXT else tr("({text} characters)", text=len(text))


def _settings(text: str) -> dict[tuple[str, ...], Any]:
    """Settings by path, without the namespace; a secret is its ciphertext, which tells only that it changed."""
    found: dict[tuple[str, ...], Any] = {}

    def walk(path: tuple[str, ...], value: Any) -> None:
        if isinstance(value, Mapping) and value and "secure" not in value:
            for key, inner in value.items():
                walk((*path, str(key)) if path else (str(key).removeprefix("dyber:"),), inner)
        else:
            found[path] = value

    if config := (yaml.safe_load(text) or {}).get("config"):
        walk((), config)
    return found
