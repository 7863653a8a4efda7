"""Reads the settings of this service from environment variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dyber_kit.browser.platform_settings import PlatformSettings, number_field, origin_field

DEFAULT_BASE_URL = "https://www.douyin.com"
DEFAULT_API_URL = "https://www.iesdouyin.com"


@dataclass(frozen=True)
class SiteSettings(PlatformSettings):
    """Holds the addresses of the site, its accounts, and the pace of visits, which all accounts share.

    Attributes:
        api_url: Origin of the pages and data behind share links (DOUYIN_API_URL).
        cache_seconds: Longest time for which an answer is cached; 0 disables the cache (DOUYIN_CACHE_SECONDS).
    """

    PREFIX: ClassVar[str] = "DOUYIN"

    base_url: str = DEFAULT_BASE_URL
    daily_pages: int = 300
    shared_pace: bool = True
    api_url: str = origin_field(DEFAULT_API_URL)
    cache_seconds: float = number_field(1800.0, 0, 86_400)
