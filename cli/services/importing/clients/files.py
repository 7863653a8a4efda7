"""Reads the text of a client's configuration: JSON with or without comments, TOML or YAML.

No message quotes the text, because it may hold secrets.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable
from typing import Any

import json5
import yaml

from cli.services.importing.requests import RefusedError, Remark, remark
from messages import mark

#: A configuration of a client has some kilobytes; that of Claude Code, which has a history too, some megabytes.
MOST_BYTES = 32 * 1024 * 1024
#: The reader of JSON with comments is slow, and no configuration that people write is longer.
_MOST_COMMENTED_CHARACTERS = 512 * 1024
_MOST_NESTED = 64


class _TwiceError(ValueError):
    """A key is in an object twice."""


def parse(content: bytes, file_name: str = "") -> Any:
    """Return what a configuration says; the name's ending tells its format, else its text. Raises RefusedError."""
    if len(content) > MOST_BYTES:
        raise _unreadable(remark(mark("the file has more than {size} MiB"), size=MOST_BYTES // 2**20))
    text = _decoded(content)
    ending = file_name.lower().rpartition(".")[2]
    try:
        if ending == "toml":
            value = _toml(text)
        elif ending in ("yaml", "yml"):
            value = _yaml(text)
        elif re.match(r"\s*(//|/\*|\{|\[\s*[\[{\"'\]])", text):
            value = _json(text)
        elif re.search(r"(?m)^\s*\[[\w.\"-]+\]\s*$", text):
            value = _toml(text)
        else:
            value = _yaml(text)
    except RecursionError:
        raise _too_deep() from None
    if not _is_shallow(value):
        raise _too_deep()
    return value


def _decoded(content: bytes) -> str:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        raise _unreadable(remark(mark("it is not UTF-8"))) from None
    if not text.strip():
        raise _unreadable(remark(mark("it is empty")))
    return text


def _json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_without_doubles)
    except json.JSONDecodeError as error:
        if len(text) > _MOST_COMMENTED_CHARACTERS:
            raise _at("JSON", error.lineno, error.colno) from None
    except _TwiceError as error:
        raise _twice(error) from None
    try:
        return json5.loads(text, object_pairs_hook=_without_doubles)
    except _TwiceError as error:
        raise _twice(error) from None
    except ValueError as error:
        place = re.match(r"<string>:(\d+) .* at column (\d+)", str(error), re.DOTALL)
        raise _at("JSON", *(place.groups() if place else ())) from None


def _toml(text: str) -> Any:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"line (\d+), column (\d+)", str(error))
        raise _at("TOML", *(place.groups() if place else ())) from None


def _yaml(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark
        raise _at("YAML", *((place.line + 1, place.column + 1) if place else ())) from None
    except (yaml.YAMLError, ValueError):
        raise _at("YAML") from None


def _without_doubles(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result and result[key] != value:
            raise _TwiceError(str(key))
        result[key] = value
    return result


def _is_shallow(value: Any, depth: int = 0) -> bool:
    """Tell whether a value is nested as deep as configurations are; a reference to itself is deeper."""
    if depth > _MOST_NESTED:
        return False
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(_is_shallow(item, depth + 1) for item in inner)


def _twice(error: _TwiceError) -> RefusedError:
    return _unreadable(remark(mark("the key {key} is in the same object twice"), key=str(error)[:60]))


def _too_deep() -> RefusedError:
    return _unreadable(remark(mark("it is nested too deep")))


def _at(format_name: str, line: int | str = 0, column: int | str = 0) -> RefusedError:
    if not line:
        return _unreadable(remark(mark("it is not valid {format}"), format=format_name))
    return _unreadable(
        remark(
            mark("it is not valid {format}: line {line}, column {column}"), format=format_name, line=line, column=column
        )
    )


def _unreadable(reason: Remark) -> RefusedError:
    return RefusedError(reason, remark(mark("give the configuration file of an MCP client: JSON, TOML or YAML")))
