"""Writes the path of a setting as text: `gateway.bind`, or `contract.tools["notes.search"]` for a key with a dot.

Pulumi writes paths in the same way (`pulumi config set --path`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_PLAIN = re.compile(r'[^.\[\]"\\]+')
#: A plain key, or one in brackets and quotes, in which `\` stands before a quote or another `\`.
_PART = re.compile(r'(?P<plain>[^.\[\]"\\]+)|\["(?P<quoted>(?:[^"\\]|\\["\\])*)"\]')


def dotted(path: Sequence[str]) -> str:
    """Return the path as text that `parts` can read."""
    text = ""
    for key in path:
        if _PLAIN.fullmatch(key):
            text += f".{key}" if text else key
        else:
            escaped = key.replace("\\", "\\\\").replace('"', '\\"')
            text += f'["{escaped}"]'
    return text


def parts(text: str) -> tuple[str, ...]:
    """Return the keys of a path. Raises ValueError for text that is not a path, such as an empty key or an open
    bracket."""
    keys: list[str] = []
    position = 0
    while position < len(text) or not keys:
        if keys and text[position] == ".":
            position += 1
            part = _PART.match(text, position)
            readable = part is not None and part["plain"] is not None
        else:
            part = _PART.match(text, position)
            readable = part is not None and (not keys or part["plain"] is None)
        if part is None or not readable:
            raise ValueError(f"not a path of keys: {text!r}")
        quoted = part["quoted"]
        keys.append(part["plain"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        position = part.end()
    return tuple(keys)
