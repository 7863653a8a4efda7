"""Reads the settings of this service from environment variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dyber_kit.browser.platform_settings import PlatformSettings, number_field

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
    cache_seconds: float = number_field(1800.0, 0, 86_400)

    def origin(self, subdomain: str) -> str:
        """Return the origin of another part of the site, such as `search`.

        A site whose address does not start with `www.` serves all parts itself.
        """
        scheme, separator, domain = self.base_url.partition("://www.")
        return f"{scheme}://{subdomain}.{domain}" if separator else self.base_url
