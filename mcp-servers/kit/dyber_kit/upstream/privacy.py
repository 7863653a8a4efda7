"""Implements privacy mode: users can still be told apart, but are no longer named."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from pathlib import Path

from dyber_kit.files import read_or_create

_SALT_BYTES = 32


@dataclass(frozen=True)
class Privacy:
    """Hides users when `enabled` (DYBER_PRIVACY); otherwise returns everything unchanged.

    The same user has the same hashed id as long as the salt exists: permanently with a data folder, else until the
    process ends.
    """

    enabled: bool
    salt: bytes = b""

    @classmethod
    def create(cls, enabled: bool, data_dir: Path | None) -> Privacy:
        """Return privacy mode with the salt of this installation, which is made at the first use."""
        if not enabled:
            return cls(False)
        if data_dir is None:
            return cls(True, secrets.token_bytes(_SALT_BYTES))
        return cls(True, read_or_create(data_dir / "privacy.salt", lambda: secrets.token_bytes(_SALT_BYTES)))

    def user_id(self, value: str | None) -> str | None:
        """Return a hashed id like `u_3f9c…`; None stays None."""
        if not self.enabled or not value:
            return value
        return "u_" + hmac.new(self.salt, value.encode(), hashlib.sha256).hexdigest()[:16]

    def nickname(self, value: str | None) -> str | None:
        """Return the first character and `**`; None stays None."""
        if not self.enabled or not value:
            return value
        return value[0] + "**"
