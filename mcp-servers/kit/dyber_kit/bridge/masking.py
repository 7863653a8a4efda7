"""Replaces secrets in texts that leave the bridge, because foreign servers repeat them in logs and errors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

MASK = "***"
# Shorter values, such as a number, occur in ordinary texts.
_SHORTEST = 6
# The same for a part of a secret: a line of a key in PEM, as logs are masked line by line, or a value in JSON.
_SHORTEST_LINE = 12
_PEM = re.compile(r"-----BEGIN [^\n]*-----\s(.*?)-----END ", re.DOTALL)
_SECRET_NAME = re.compile("(key|secret|token|password)(?!_?(type|uri|url)$)", re.IGNORECASE)


class Masker:
    """Replaces the values of secrets.

    >>> masker = Masker(["s3cret-value"])
    >>> masker.text("Bearer s3cret-value"), masker.value({"key": ["s3cret-value"]})
    ('Bearer ***', {'key': ['***']})
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        parts = {part for secret in secrets for part in _parts(secret) if len(part) >= _SHORTEST}
        self._secrets = sorted({form for part in parts for form in _forms(part)}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """Return a text without the secrets."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def value(self, value: Any) -> Any:
        """Return a JSON value without the secrets, in its texts and names."""
        if not self._secrets:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.text(name): self.value(item) for name, item in value.items()}
        return value


def _parts(secret: str) -> Iterator[str]:
    """Yield a secret, the lines of keys in it, and its secret values if it is a JSON object, as for a service account."""
    yield secret
    for key in _PEM.finditer(secret):
        yield from (line for line in map(str.strip, key[1].splitlines()) if len(line) >= _SHORTEST_LINE)
    if secret.lstrip().startswith("{"):
        try:
            yield from _named_secrets(json.loads(secret))
        except (ValueError, RecursionError):
            return


def _named_secrets(value: Any) -> Iterator[str]:
    """Yield the texts in a JSON value whose name says that they are secret; addresses and short words are not."""
    for name, inner in value.items() if isinstance(value, dict) else ():
        if isinstance(inner, dict):
            yield from _named_secrets(inner)
        elif isinstance(inner, str) and len(inner) >= _SHORTEST_LINE and _SECRET_NAME.search(name):
            if not inner.startswith(("http://", "https://")):
                yield from _parts(inner)


def _forms(part: str) -> Iterator[str]:
    """Yield the forms in which a text is written: as it is, in an address, and in JSON."""
    yield part
    yield quote(part, safe="")
    for is_ascii in (True, False):
        yield json.dumps(part, ensure_ascii=is_ascii)[1:-1]
