"""Merges local changes of a stack's file key by key with the changes of a new version of the repository."""

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
#: Stands for the value of a key that does not exist.
_GONE = object()


class MergeConflict(Exception):
    """Two changes cannot be merged; `keys` are the settings that both sides changed in different ways."""

    def __init__(self, keys: list[str]) -> None:
        super().__init__(", ".join(keys))
        self.keys = keys


def merged(base: str, mine: str, theirs: str) -> str:
    """Return the text `theirs` of a stack's file with the changes that lead from `base` to `mine`.

    Comments of both sides are kept. Raises MergeConflict if both sides changed a setting in different ways, or if a
    local comment would be lost, and yaml.YAMLError for a text that is not YAML.
    """
    old, local, new = (_leaves(text) for text in (base, mine, theirs))
    changes = {
        path: local.get(path, _GONE) for path in {*old, *local} if old.get(path, _GONE) != local.get(path, _GONE)
    }
    conflicts = [path for path, value in changes.items() if not _applies(path, value, old, new)]
    if conflicts:
        raise MergeConflict(sorted(_name(path) for path in conflicts))
    expected = _with(new, changes)
    by_line = _merged_by_line(base, mine, theirs)
    if by_line is not None and _leaves_or_none(by_line) == expected:
        return by_line
    try:
        by_key = _written(theirs, mine, changes)
    except (KeyError, TypeError, AttributeError):
        by_key = ""  # The file has keys that are not text, such as numbers.
    if _leaves_or_none(by_key) != expected:
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
            if other != path and value is not _GONE and (_contains(other, path) or _contains(path, other))
        )
    return False


def _contains(path: Keys, other: Keys) -> bool:
    """Tell whether `other` is a path inside the mapping at `path`."""
    return len(path) < len(other) and other[: len(path)] == path


def _with(values: Mapping[Keys, Any], changes: Mapping[Keys, Any]) -> dict[Keys, Any]:
    result = dict(values)
    for path, value in changes.items():
        replaced = [other for other in result if _contains(other, path) or _contains(path, other)]
        for other in replaced if value is not _GONE else ():
            del result[other]
        if value is _GONE:
            result.pop(path, None)
        else:
            result[path] = value
    return result


def _leaves(text: str) -> dict[Keys, Any]:
    """Return by path the values of a stack's file that are not mappings, and the empty mappings."""
    content = yaml.safe_load(text)
    return dict(_walk(content, ())) if content else {}


def _leaves_or_none(text: str) -> dict[Keys, Any] | None:
    try:
        return _leaves(text)
    except (yaml.YAMLError, AttributeError):
        return None


def _walk(value: Any, path: Keys) -> Iterator[tuple[Keys, Any]]:
    if isinstance(value, Mapping) and value and not is_encrypted(value):
        for key, item in value.items():
            yield from _walk(item, (*path, str(key)))
    else:
        yield path, value


def _merged_by_line(base: str, mine: str, theirs: str) -> str | None:
    """Return git's merge of the three texts; None if both sides changed the same lines."""
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
    content, local = reader.load(theirs) or CommentedMap(), reader.load(mine)
    for path, value in changes.items():
        if value is not _GONE:
            _copy_value(content, local, path)
        elif not any(other[: len(path)] == path for other, set_to in changes.items() if set_to is not _GONE):
            _remove(content, path)
    stream = io.StringIO()
    reader.dump(content, stream)
    return stream.getvalue()


def _copy_value(content: CommentedMap, local: CommentedMap, path: Keys) -> None:
    """Copy the value at `path` and the comment beside it from `local` to `content`."""
    for key in path[:-1]:
        if not isinstance(content.get(key), dict):
            content[key] = CommentedMap()
        content, local = content[key], local[key]
    content[path[-1]] = local[path[-1]]
    if path[-1] in local.ca.items:
        content.ca.items[path[-1]] = local.ca.items[path[-1]]


def _remove(content: Any, path: Keys) -> None:
    """Remove the value at `path`, and the mappings that this leaves empty."""
    if path[0] not in content:
        return
    if len(path) == 1:
        del content[path[0]]
        return
    _remove(content[path[0]], path[1:])
    if not content[path[0]]:
        del content[path[0]]


def _comments(text: str) -> Counter[str]:
    """Count the comments of a text."""
    comments = (line.partition("#")[2].strip() for line in text.splitlines() if "#" in line)
    return Counter(comment for comment in comments if comment)


def _name(path: Keys) -> str:
    if path[0] == "config":
        path = (path[1].removeprefix("dyber:"), *path[2:]) if len(path) > 1 else path
    return dotted(path)
