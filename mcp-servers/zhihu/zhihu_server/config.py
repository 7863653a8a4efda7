"""Reads the settings of this service from environment variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlsplit

from dyber_kit.browser.platform_settings import (
    PlatformSettings,
    flag_field,
    number_field,
    origin_field,
    secret_field,
)

DEFAULT_BASE_URL = "https://www.zhihu.com"
DEFAULT_API_URL = "https://developer.zhihu.com"
SECRET_SETTING = "ZHIHU_ACCESS_SECRET"
ASK_SETTING = "ZHIHU_ALLOW_ASK"


@dataclass(frozen=True)
class ZhihuSettings(PlatformSettings):
    """Holds the addresses of Zhihu, the accounts, and how much may be asked.

    Attributes:
        api_url: Origin of the official API (ZHIHU_API_URL).
        secret: Access Secret of the official API, or None without one (the secret ZHIHU_ACCESS_SECRET).
        allow_ask: Whether the tool that lets Zhihu generate an answer may be used (ZHIHU_ALLOW_ASK).
        search_per_day: Most searches on Zhihu per day, and as many on the web (ZHIHU_SEARCH_PER_DAY).
        hot_per_day: Most requests for the hot list per day (ZHIHU_HOT_PER_DAY).
        answers_per_day: Most requests for answers to a question per day (ZHIHU_ANSWERS_PER_DAY).
        ask_per_day: Most generated answers per day (ZHIHU_ASK_PER_DAY).
        cache_seconds: Longest time for which an answer is cached; 0 disables the cache (ZHIHU_CACHE_SECONDS).
    """

    PREFIX: ClassVar[str] = "ZHIHU"

    base_url: str = DEFAULT_BASE_URL
    interval_seconds: float = 4.0
    jitter_seconds: float = 3.0
    daily_pages: int = 300
    shared_pace: bool = True
    api_url: str = origin_field(DEFAULT_API_URL)
    secret: str | None = secret_field(SECRET_SETTING)
    allow_ask: bool = flag_field(False)
    search_per_day: int = number_field(5000, 0, 1_000_000)
    hot_per_day: int = number_field(100, 0, 1_000_000)
    answers_per_day: int = number_field(100, 0, 1_000_000)
    ask_per_day: int = number_field(100, 0, 1_000_000)
    cache_seconds: float = number_field(1800.0, 0, 86_400)

    @property
    def articles_url(self) -> str:
        """Return the origin of articles, which are on another host than the rest of the site."""
        parts = urlsplit(self.base_url)
        if parts.netloc.startswith("www."):
            return f"{parts.scheme}://zhuanlan.{parts.netloc.removeprefix('www.')}"
        return self.base_url
