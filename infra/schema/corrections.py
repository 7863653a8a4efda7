"""Proposes lines of YAML to write instead of a wrong setting."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import yaml
from pydantic_core import ErrorDetails

from infra.schema.setting_tree import ANY_KEY, Setting

_LISTS = ("list_type", "tuple_type")
_NUMBERS = ("int_parsing", "int_type", "int_from_float", "float_parsing", "float_type")
_TOO_SMALL = ("greater_than_equal", "greater_than")
_TOO_LARGE = ("less_than_equal", "less_than")


def yaml_lines(path: Sequence[str], value: Any, note: str = "", prefix: str = "") -> list[str]:
    """Return a setting as lines of YAML; `prefix` is put before the first key, `note` becomes a comment."""
    lines = [f"{'  ' * depth}{prefix if depth == 0 else ''}{key}:" for depth, key in enumerate(path)]
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
    lines[-1] += " " + text.removesuffix("...\n").strip() + (f"  # {note}" if note else "")
    return lines


def correction(problem: ErrorDetails, root: Setting, prefix: str = "") -> list[str]:
    """Return the lines to write in place of the setting that an error of Pydantic is about; none where nothing fits."""
    path, place = place_of(problem, root)
    kind, given = problem["type"], problem["input"]
    if any(isinstance(part, int) for part in problem["loc"]):
        # A line for an entry of a list would stand for the whole list.
        return []
    if kind == "extra_forbidden":
        return _other_key(path, given, root, prefix)
    if place is None or place.secret:
        return []
    lower, upper = place.bounds
    if kind in _TOO_SMALL or kind in _TOO_LARGE:
        bound = lower if kind in _TOO_SMALL else upper
        exclusive = kind in ("greater_than", "less_than")
        return yaml_lines(path, (place.default or 1) if exclusive else bound, _range(place), prefix)
    if kind in _NUMBERS:
        value = place.default if isinstance(place.default, int | float) else lower or 1
        return yaml_lines(path, value, _range(place), prefix)
    if kind in ("bool_parsing", "bool_type"):
        return yaml_lines(path, place.default is True, "true / false", prefix)
    if kind == "literal_error" and place.choices and len(place.types) == 1:
        return yaml_lines(path, _choice(given, place), " / ".join(place.choices), prefix)
    if kind in _LISTS and isinstance(given, str) and not place.choices and "object" not in place.types:
        return yaml_lines(path, [word.strip() for word in given.split(",") if word.strip()], "", prefix)
    # Pulumi passes the text of a top-level key without its quotes, so quotes would change nothing there.
    if kind == "string_type" and isinstance(given, int | float) and len(path) > 1:
        return yaml_lines(path, str(given).lower() if isinstance(given, bool) else str(given), "", prefix)
    return []


def place_of(problem: ErrorDetails, root: Setting) -> tuple[tuple[str, ...], Setting | None]:
    """Return path and setting that an error is about, without the parts of the path that Pydantic adds to say which of
    several forms it tried. The setting is None if the key does not exist or is itself wrong."""
    path: list[str] = []
    place: Setting | None = root
    for part in problem["loc"]:
        if part == "[key]":
            return tuple(path), None
        child = place.child(str(part)) if place and not isinstance(part, int) else None
        if child is None and problem["type"] != "extra_forbidden":
            return tuple(path), None if isinstance(part, int) else place
        path.append(str(part))
        place = child
    return tuple(path), place


def nearest(path: Sequence[str], root: Setting) -> tuple[str, ...] | None:
    """Return the existing path that was probably meant by `path`: a key beside it with a similar name, or a key of the
    same name elsewhere."""
    known: list[str] = []
    for depth in range(len(path)):
        above = root.find(path[:depth])
        if above is not None and above.child(path[depth]) is None:
            known = list(above.properties)
            near = _similar(path[depth], known)
            if near and root.find((*path[:depth], near, *path[depth + 1 :])) is not None:
                return (*path[:depth], near, *path[depth + 1 :])
            break
    same = [other for other, _ in root.leaves() if other[-1] == path[-1] and ANY_KEY not in other]
    return same[0] if len(same) == 1 else None


def _similar(word: str, known: Sequence[str]) -> str | None:
    folded = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.replace("_", "").replace("-", "").lower(), folded, n=1)
    return folded[near[0]] if near else None


def _other_key(path: tuple[str, ...], given: Any, root: Setting, prefix: str) -> list[str]:
    near = nearest(path, root)
    if near is None or (place := root.find(near)) is None:
        return []
    if place.has_secrets():
        return [f"./deploy.sh config set {'.'.join(near)} --secret"] if place.secret else []
    if place.choices and given not in place.choices and len(place.types) == 1:
        return yaml_lines(near, _choice(given, place), " / ".join(place.choices), prefix)
    return yaml_lines(near, "…" if isinstance(given, dict) else given, "", prefix)


def _choice(given: Any, place: Setting) -> Any:
    near = difflib.get_close_matches(str(given).lower(), place.choices, n=1)
    return near[0] if near else place.default or place.choices[0]


def _range(place: Setting) -> str:
    lower, upper = place.bounds
    return " … ".join("" if bound is None else str(bound) for bound in (lower, upper))
