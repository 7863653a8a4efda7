"""Changes single settings in a stack's file; comments and everything else stay as they are."""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from infra.schema.problems import ConfigurationError, Problem
from infra.settings.names import NAMESPACE
from infra.settings.secrets import encrypted_paths


def without_salt(text: str) -> str:
    """Return the text of a stack's file without the salt of its passphrase; Pulumi then writes a new salt."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("encryptionsalt:"))


def has_encrypted_values(text: str) -> bool:
    """Tell whether the text of a stack's file has encrypted values."""
    return any(encrypted_paths(yaml.safe_load(text)))


class StackFile:
    """One `Pulumi.<stack>.yaml`; its keys are written without `dyber:`, such as `gateway`.

    Raises ConfigurationError for YAML that cannot be read.
    """

    def __init__(self, path: Path, content: bytes | None = None) -> None:
        """Read the file at `path`, or take `content` as its text."""
        self.path = path
        self.before = path.read_bytes() if content is None else content
        self._yaml = YAML()
        self._yaml.preserve_quotes = True
        self._yaml.width = 4096
        try:
            text = self.before.decode("utf-8-sig")
            self._content = self._yaml.load(text) or CommentedMap()
            # Without settings, ruamel.yaml has nothing to attach the comments to, so they are kept here.
            self._comments = text if not self._content else ""
        except (YAMLError, UnicodeDecodeError) as error:
            raise ConfigurationError(Problem("not_yaml", path.name, parameters={"reason": str(error)})) from None

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key."""
        return (self._content.get("config") or {}).get(f"{NAMESPACE}:{key}", default)

    def values(self) -> dict[str, Any]:
        """Return all keys and values as plain data; a secret is a mapping with the only key `secure`."""
        prefix = f"{NAMESPACE}:"
        config = self._content.get("config") or {}
        values = {key.removeprefix(prefix): value for key, value in config.items() if str(key).startswith(prefix)}
        return dict(json.loads(json.dumps(values, default=str)))

    def set(self, key: str, value: Any) -> None:
        """Set a key to a value; None removes the key."""
        config = self._content.get("config")
        if config is None:
            config = self._content["config"] = CommentedMap()
        name = f"{NAMESPACE}:{key}"
        if value is None:
            config.pop(name, None)
        else:
            config[name] = _flat(value)

    def set_in(self, key: str, path: list[str], value: Any) -> None:
        """Set the entry at `path` inside the mapping `key` to a value; None removes the entry.

        Mappings that this leaves empty are removed as well.
        """
        mapping = self.get(key)
        if not isinstance(mapping, dict):
            self.set(key, CommentedMap())
            mapping = self.get(key)
        mappings = [mapping]
        for part in path[:-1]:
            if not isinstance(mappings[-1].get(part), dict):
                mappings[-1][part] = CommentedMap()
            mappings.append(mappings[-1][part])
        if value is not None:
            mappings[-1][path[-1]] = _flat(value)
            return
        mappings[-1].pop(path[-1], None)
        for parent, part in zip(reversed(mappings[:-1]), reversed(path[:-1]), strict=True):
            if not parent[part]:
                del parent[part]
        if not mapping:
            self.set(key, None)

    def text(self) -> str:
        """Return the text that `save` writes."""
        stream = io.StringIO()
        self._yaml.dump(self._content, stream)
        return self._comments + stream.getvalue()

    def save(self) -> None:
        """Write the file atomically."""
        replace_file(self.path, self.text().encode())

    def restore(self) -> None:
        """Write the file back as it was read."""
        replace_file(self.path, self.before)


def replace_file(path: Path, content: bytes, mode: int | None = None) -> None:
    """Write `content` atomically: a reader sees the old file or the new one, even after a power cut.

    `mode` are the permission bits; None keeps those of the present file.
    """
    with _draft(path, content, mode) as draft:
        draft.replace(path)


def replace_unchanged_file(path: Path, before: bytes, content: bytes) -> bool:
    """Replace the file only if its content is still `before`; return whether it was replaced."""
    with _draft(path, content) as draft:
        unchanged = path.read_bytes() == before
        if unchanged:
            draft.replace(path)
    return unchanged


@contextmanager
def _draft(path: Path, content: bytes, mode: int | None = None) -> Iterator[Path]:
    """Provide a file beside `path` with `content` and permission bits; it is deleted afterwards unless it was moved."""
    if mode is None:
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(mode)
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _flat(value: Any) -> Any:
    """Return a list in the form that is written on one line, and other values as they are."""
    if not isinstance(value, list | tuple):
        return value
    from ruamel.yaml.comments import CommentedSeq

    sequence = CommentedSeq(value)
    sequence.fa.set_flow_style()
    return sequence
