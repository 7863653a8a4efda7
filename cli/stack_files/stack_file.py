"""Writing into a stack's file as a person would: comments and everything else stay where they are."""

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
    """The text of a stack's file without the salt of its passphrase, which Pulumi then makes anew."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("encryptionsalt:"))


def has_encrypted_values(text: str) -> bool:
    """Whether the text of a stack's file has values that its passphrase or key service encrypted."""
    return any(encrypted_paths(yaml.safe_load(text)))


class StackFile:
    """One `Pulumi.<stack>.yaml`. Keys are below `dyber:`, such as `gateway`. Raises ConfigurationError for YAML that
    cannot be read."""

    def __init__(self, path: Path, content: bytes | None = None) -> None:
        """`content`: the text of the file, where that is not on the disk at `path`."""
        self.path = path
        self.before = path.read_bytes() if content is None else content
        self._yaml = YAML()
        self._yaml.preserve_quotes = True
        self._yaml.width = 4096
        try:
            text = self.before.decode("utf-8-sig")
            self._content = self._yaml.load(text) or CommentedMap()
            # Comments alone belong to nothing that could keep them.
            self._comments = text if not self._content else ""
        except (YAMLError, UnicodeDecodeError) as error:
            raise ConfigurationError(Problem("not_yaml", path.name, parameters={"reason": str(error)})) from None

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key."""
        return (self._content.get("config") or {}).get(f"{NAMESPACE}:{key}", default)

    def values(self) -> dict[str, Any]:
        """All keys and their values, as plain data; a secret is a mapping with the only key `secure`."""
        prefix = f"{NAMESPACE}:"
        config = self._content.get("config") or {}
        own = {key.removeprefix(prefix): value for key, value in config.items() if str(key).startswith(prefix)}
        return dict(json.loads(json.dumps(own, default=str)))

    def set(self, key: str, value: Any) -> None:
        """Give a key a value; None removes it."""
        config = self._content.get("config")
        if config is None:
            config = self._content["config"] = CommentedMap()
        name = f"{NAMESPACE}:{key}"
        if value is None:
            config.pop(name, None)
        else:
            config[name] = _flat(value)

    def set_in(self, key: str, path: list[str], value: Any) -> None:
        """Give a value to what is at `path` inside the mapping `key`; None removes it, and mappings that it leaves
        empty."""
        place = self.get(key)
        if not isinstance(place, dict):
            self.set(key, CommentedMap())
            place = self.get(key)
        places = [place]
        for part in path[:-1]:
            if not isinstance(places[-1].get(part), dict):
                places[-1][part] = CommentedMap()
            places.append(places[-1][part])
        if value is not None:
            places[-1][path[-1]] = _flat(value)
            return
        places[-1].pop(path[-1], None)
        for above, part in zip(reversed(places[:-1]), reversed(path[:-1]), strict=True):
            if not above[part]:
                del above[part]
        if not place:
            self.set(key, None)

    def text(self) -> str:
        """The file as it would be written."""
        stream = io.StringIO()
        self._yaml.dump(self._content, stream)
        return self._comments + stream.getvalue()

    def save(self) -> None:
        """Write the file, in one step."""
        replace_file(self.path, self.text().encode())

    def restore(self) -> None:
        """The file as it was read."""
        replace_file(self.path, self.before)


def replace_file(path: Path, content: bytes, mode: int | None = None) -> None:
    """Write `content` so that a reader sees the old file or the new one, and nothing between, also after a power cut.
    `mode`: permission bits; None keeps the present file's."""
    with _draft(path, content, mode) as draft:
        draft.replace(path)


def replace_unchanged_file(path: Path, before: bytes, content: bytes) -> bool:
    """As replace_file, but only where the file still is as it was read, `before`; whether it was."""
    with _draft(path, content) as draft:
        unchanged = path.read_bytes() == before
        if unchanged:
            draft.replace(path)
    return unchanged


@contextmanager
def _draft(path: Path, content: bytes, mode: int | None = None) -> Iterator[Path]:
    """A file beside `path` with `content` and the permission bits for it; gone afterwards, unless it was moved."""
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
    """Lists in one line, as people write them."""
    if not isinstance(value, list | tuple):
        return value
    from ruamel.yaml.comments import CommentedSeq

    sequence = CommentedSeq(value)
    sequence.fa.set_flow_style()
    return sequence
