"""Reads the settings of this service from environment variables."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from dyber_kit import environment_number

from template_server.texts import tr

URL_SETTING = "TEMPLATE_UPSTREAM_URL"


@dataclass(frozen=True)
class FeedSettings:
    """Holds the address of the feed and how often it is fetched.

    Attributes:
        url: Address of a JSON Feed (https://jsonfeed.org), or None without one (TEMPLATE_UPSTREAM_URL).
        min_interval: Seconds between two requests (TEMPLATE_MIN_INTERVAL_SECONDS).
        cache_seconds: How long a page of the feed is cached (TEMPLATE_CACHE_SECONDS).
    """

    url: str | None = None
    min_interval: float = 2.0
    cache_seconds: float = 300.0

    @classmethod
    def from_environment(cls) -> FeedSettings:
        """Read the settings from environment variables.

        Raises:
            ValueError: A variable has a value that cannot be used; the message names it.
        """
        url = os.environ.get(URL_SETTING, "").strip()
        if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
            raise ValueError(
                tr(
                    "The value {value} of the environment variable {name} is not usable; it must be like {example}",
                    value=repr(url),
                    name=URL_SETTING,
                    example="https://example.org/feed.json",
                )
            )
        return cls(
            url=url or None,
            min_interval=environment_number("TEMPLATE_MIN_INTERVAL_SECONDS", 2, 0, 3600),
            cache_seconds=environment_number("TEMPLATE_CACHE_SECONDS", 300, 0, 86400),
        )
