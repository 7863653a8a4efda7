"""Reads the settings of this service from environment variables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from dyber_kit import environment_number
from dyber_kit.browser.platform_settings import PlatformSettings

DEFAULT_BASE_URL = "https://www.bilibili.com"


@dataclass(frozen=True)
class SiteSettings(PlatformSettings):
    """Holds the address of the site, its accounts, and the pace of visits, which all accounts share.

    Attributes:
        cache_seconds: Longest time for which an answer is cached; 0 disables the cache (BILIBILI_CACHE_SECONDS).
    """

    PREFIX: ClassVar[str] = "BILIBILI"

    base_url: str = DEFAULT_BASE_URL
    interval_seconds: float = 5.0
    jitter_seconds: float = 3.0
    daily_pages: int = 300
    shared_pace: bool = True
    cache_seconds: float = 1800.0

    @classmethod
    def from_environment(cls, _data_dir: Path | None = None) -> SiteSettings:
        """Read the settings from environment variables.

        Raises:
            ValueError: A variable has a value that cannot be used; the message names it.
        """
        return cls(
            **cls.environment_values(),
            cache_seconds=environment_number("BILIBILI_CACHE_SECONDS", 1800, 0, 86_400),
        )

    def origin(self, subdomain: str) -> str:
        """Return the origin of another part of the site, such as `search`.

        A site whose address does not start with `www.` serves all parts itself.
        """
        scheme, separator, domain = self.base_url.partition("://www.")
        return f"{scheme}://{subdomain}.{domain}" if separator else self.base_url
