"""Reads the settings of this service from environment variables."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from dyber_kit import environment_number, environment_secret
from dyber_kit.browser.platform_settings import PlatformSettings, environment_origin

WEB_URL = "https://weibo.com"
_API_URL = "https://open-im.api.weibo.com"
_MOBILE_URL = "https://m.weibo.cn"
_LOGIN_URL = "https://passport.weibo.com"
_SHORT_URL = "http://t.cn"


@dataclass(frozen=True)
class WeiboSettings(PlatformSettings):
    """Holds the addresses of Weibo, its accounts, the pace of visits, and the credentials of the official API.

    Another WEIBO_BASE_URL, such as that of a stand-in, also takes the place of the sites below.

    Attributes:
        api_url: Address of the official API (WEIBO_API_URL).
        mobile_url: Origin of the mobile site, where posts are searched (WEIBO_MOBILE_URL).
        login_url: Origin of the site with the QR code (WEIBO_LOGIN_URL).
        app_id: Id of the application of the official API, or None (the secret WEIBO_APP_ID).
        app_secret: Secret of the application, or None (the secret WEIBO_APP_SECRET).
        daily_requests: Most requests to the official API per day (WEIBO_DAILY_REQUESTS).
        cache_seconds: Longest time for which an answer is cached; 0 disables the cache (WEIBO_CACHE_SECONDS).
    """

    PREFIX: ClassVar[str] = "WEIBO"

    base_url: str = WEB_URL
    interval_seconds: float = 4.0
    jitter_seconds: float = 3.0
    shared_pace: bool = True
    api_url: str = _API_URL
    mobile_url: str = _MOBILE_URL
    login_url: str = _LOGIN_URL
    app_id: str | None = field(default=None, repr=False)
    app_secret: str | None = field(default=None, repr=False)
    daily_requests: int = 1000
    cache_seconds: float = 1800.0

    @property
    def short_url(self) -> str:
        """Return the start of short links."""
        return _SHORT_URL if self.base_url == WEB_URL else f"{self.base_url}/t.cn"

    @classmethod
    def from_environment(cls, _data_dir: Path | None = None) -> WeiboSettings:
        """Read the settings from environment variables.

        Raises:
            ValueError: A variable has a value that cannot be used; the message names it.
        """
        values = cls.environment_values()
        base = values["base_url"]
        return cls(
            **values,
            api_url=environment_origin("WEIBO_API_URL", _API_URL if base == WEB_URL else base),
            mobile_url=environment_origin("WEIBO_MOBILE_URL", _MOBILE_URL if base == WEB_URL else base),
            login_url=environment_origin("WEIBO_LOGIN_URL", _LOGIN_URL if base == WEB_URL else base),
            app_id=environment_secret("WEIBO_APP_ID"),
            app_secret=environment_secret("WEIBO_APP_SECRET"),
            daily_requests=int(environment_number("WEIBO_DAILY_REQUESTS", 1000, 1, 1_000_000)),
            cache_seconds=environment_number("WEIBO_CACHE_SECONDS", 1800, 0, 86_400),
        )
