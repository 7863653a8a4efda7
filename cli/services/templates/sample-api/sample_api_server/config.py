"""Reads the settings of this service from environment variables."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from dyber_kit import environment_number, environment_secret

from sample_api_server.texts import tr

BASE_URL_SETTING = "SAMPLE_API_BASE_URL"
TOKEN_SETTING = "SAMPLE_API_TOKEN"


@dataclass(frozen=True)
class ApiSettings:
    """Holds the address of the platform's API, its token, and how long items are cached.

    Attributes:
        base_url: Address that the paths of requests follow, or None without one (SAMPLE_API_BASE_URL).
        token: The platform's token, a secret, or None without one (SAMPLE_API_TOKEN).
        cache_seconds: How long an item is cached (SAMPLE_API_CACHE_SECONDS).
    """

    base_url: str | None = None
    token: str | None = field(default=None, repr=False)
    cache_seconds: float = 300.0

    @classmethod
    def from_environment(cls) -> ApiSettings:
        """Read the settings from environment variables.

        Raises:
            ValueError: A variable has a value that cannot be used; the message names it.
        """
        url = os.environ.get(BASE_URL_SETTING, "").strip().rstrip("/")
        parts = urlsplit(url)
        if url and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query):
            raise ValueError(
                tr(
                    "The value {value} of the environment variable {name} is not usable; it must be like {example}",
                    value=repr(url),
                    name=BASE_URL_SETTING,
                    example="https://api.example.com",
                )
            )
        return cls(
            base_url=url or None,
            token=environment_secret(TOKEN_SETTING),
            cache_seconds=environment_number("SAMPLE_API_CACHE_SECONDS", 300, 0, 86400),
        )
