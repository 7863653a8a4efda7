"""Replaces secrets in texts that leave the bridge, because foreign servers repeat them in logs and errors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

MASK = "***"
# Shorter values, such as a number, occur in ordinary texts.
_SHORTEST = 6


class Masker:
    """Replaces the values of secrets.

    >>> masker = Masker(["s3cret-value"])
    >>> masker.text("Bearer s3cret-value"), masker.value({"key": ["s3cret-value"]})
    ('Bearer ***', {'key': ['***']})
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        # In an address a secret is written with percent signs.
        written = {form for secret in secrets if len(secret) >= _SHORTEST for form in (secret, quote(secret, safe=""))}
        self._secrets = sorted(written, key=len, reverse=True)

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
