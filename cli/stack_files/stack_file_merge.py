"""Merges a stack's file key by key: changes made here with changes that a new version of the repository brings."""

from __future__ import annotations

import io
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from cli.system import programs
from infra.schema.key_paths import dotted
from infra.settings.secrets import is_encrypted

Keys = tuple[str, ...]
_GONE = object()


class MergeConflict(Exception):
    """The two changes cannot both be kept; `keys` are the settings that both changed, in different ways."""

    def __init__(self, keys: list[str]) -> None:
        super().__init__(", ".join(keys))
        self.keys = keys


def merged(base: str, mine: str, theirs: str) -> str:
    """Return the text `theirs` of a stack's file with the changes that lead from `base` to `mine`.

    Comments of both are kept. Raises MergeConflict where both changed a setting in different ways, or where a comment
    that was written here would be lost; yaml.YAMLError for a text that is no YAML.
    """
    old, own, new = (_leaves(text) for text in (base, mine, theirs))
    changes = {path: own.get(path, _GONE) for path in {*old, *own} if old.get(path, _GONE) != own.get(path, _GONE)}
    conflicts = [path for path, value in changes.items() if not _applies(path, value, old, new)]
    if conflicts:
        raise MergeConflict(sorted(_name(path) for path in conflicts))
    wanted = _with(new, changes)
    by_line = _merged_by_line(base, mine, theirs)
    if by_line is not None and _leaves_or_none(by_line) == wanted:
        return by_line
    try:
        by_key = _written(theirs, mine, changes)
    except (KeyError, TypeError, AttributeError):
        by_key = ""  # Keys that are no text, such as numbers.
    if _leaves_or_none(by_key) != wanted:
        raise MergeConflict(sorted(_name(path) for path in changes))
    if lost := _comments(mine) - _comments(base) - _comments(by_key):
        raise MergeConflict(sorted(lost))
    return by_key


def _applies(path: Keys, value: Any, old: Mapping[Keys, Any], new: Mapping[Keys, Any]) -> bool:
    """Tell whether setting `path` to `value` is compatible with the changes from `old` to `new`."""
    if new.get(path, _GONE) in (old.get(path, _GONE), value):
        return all(
            new.get(other, _GONE) == old.get(other, _GONE)
            for other in {*old, *new}
            if other != path and value is not _GONE and (_above(other, path) or _above(path, other))
        )
    return False


def _above(path: Keys, other: Keys) -> bool:
    return len(path) < len(other) and other[: len(path)] == path


def _with(values: Mapping[Keys, Any], changes: Mapping[Keys, Any]) -> dict[Keys, Any]:
    result = dict(values)
    for path, value in changes.items():
        for other in [other for other in result if value is not _GONE and (_above(other, path) or _above(path, other))]:
            del result[other]
        if value is _GONE:
            result.pop(path, None)
        else:
            result[path] = value
    return result


def _leaves(text: str) -> dict[Keys, Any]:
    """Return every value of a stack's file, by path, that is no mapping or is an empty one."""
    content = yaml.safe_load(text)
    return dict(_walk(content, ())) if content else {}


def _leaves_or_none(text: str) -> dict[Keys, Any] | None:
    try:
        return _leaves(text)
    except (yaml.YAMLError, AttributeError):
        return None


def _walk(value: Any, path: Keys) -> Iterator[tuple[Keys, Any]]:
    if isinstance(value, Mapping) and value and not is_encrypted(value):
        for key, below in value.items():
            yield from _walk(below, (*path, str(key)))
    else:
        yield path, value


def _merged_by_line(base: str, mine: str, theirs: str) -> str | None:
    """Return git's merge of the three texts; None where the same lines were changed."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("mine", "base", "theirs")]
        for file, text in zip(files, (mine, base, theirs), strict=True):
            file.write_bytes(text.encode())
        done = programs.run(["git", "merge-file", "--stdout", *map(str, files)], capture_output=True)
    return done.stdout.decode() if done.returncode == 0 else None


def _written(theirs: str, mine: str, changes: Mapping[Keys, Any]) -> str:
    reader = YAML()
    reader.preserve_quotes = True
    reader.width = 4096
    content, own = reader.load(theirs) or CommentedMap(), reader.load(mine)
    for path, value in changes.items():
        if value is not _GONE:
            _take(content, own, path)
        elif not any(other[: len(path)] == path for other, set_to in changes.items() if set_to is not _GONE):
            _remove(content, path)
    stream = io.StringIO()
    reader.dump(content, stream)
    return stream.getvalue()


def _take(content: CommentedMap, own: CommentedMap, path: Keys) -> None:
    """Give what is at `path` the value that it has in `own`, and the comment beside it."""
    for key in path[:-1]:
        if not isinstance(content.get(key), dict):
            content[key] = CommentedMap()
        content, own = content[key], own[key]
    content[path[-1]] = own[path[-1]]
    if path[-1] in own.ca.items:
        content.ca.items[path[-1]] = own.ca.items[path[-1]]


def _remove(content: Any, path: Keys) -> None:
    """Remove what is at `path`, and the mappings that this leaves empty."""
    if path[0] not in content:
        return
    if len(path) == 1:
        del content[path[0]]
        return
    _remove(content[path[0]], path[1:])
    if not content[path[0]]:
        del content[path[0]]


def _comments(text: str) -> Counter[str]:
    """The comments of a text, each with how often it is there."""
    found = (line.partition("#")[2].strip() for line in text.splitlines() if "#" in line)
    return Counter(comment for comment in found if comment)


def _name(path: Keys) -> str:
    if path[0] == "config":
        path = (path[1].removeprefix("dyber:"), *path[2:]) if len(path) > 1 else path
    return dotted(path)
