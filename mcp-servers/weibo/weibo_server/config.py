"""Reads the settings of this service from environment variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dyber_kit.browser.platform_settings import PlatformSettings, number_field, origin_field, secret_field

WEB_URL = "https://weibo.com"
_API_URL = "https://open-im.api.weibo.com"
_MOBILE_URL = "https://m.weibo.cn"
_LOGIN_URL = "https://passport.weibo.com"


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
    api_url: str = origin_field(_API_URL, follows_base=WEB_URL)
    mobile_url: str = origin_field(_MOBILE_URL, follows_base=WEB_URL)
    login_url: str = origin_field(_LOGIN_URL, follows_base=WEB_URL)
    app_id: str | None = secret_field()
    app_secret: str | None = secret_field()
    daily_requests: int = number_field(1000, 1, 1_000_000)
    cache_seconds: float = number_field(1800.0, 0, 86_400)
