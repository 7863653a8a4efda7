"""Reads the settings of this service from environment variables."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from dyber_kit import environment_number

DEFAULT_BASE_URL = "https://www.xiaohongshu.com"
DEFAULT_CREATOR_URL = "https://creator.xiaohongshu.com"
DEFAULT_ACCOUNT = "default"

_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


@dataclass(frozen=True)
class SiteSettings:
    """Holds the addresses of the site, its accounts, and the pace of visits.

    Attributes:
        base_url: Origin of the site, without a trailing slash (XHS_BASE_URL).
        creator_url: Origin of the site where notes are published (XHS_CREATOR_URL).
        accounts: Names of the accounts; calls without a name use the first (XHS_ACCOUNTS, separated by commas).
        page_seconds: Deadline of one page visit, in seconds (XHS_PAGE_SECONDS).
        queue_seconds: Longest wait for a turn before BUSY, in seconds (XHS_QUEUE_SECONDS).
        interval_seconds: Least time between the starts of two page visits (XHS_INTERVAL_SECONDS).
        jitter_seconds: Longest random time that is added to the interval each time (XHS_JITTER_SECONDS).
        daily_pages: Most page visits per day, of all accounts together (XHS_DAILY_PAGES).
        pause_seconds: First pause after a captcha or a rate limit; it doubles (XHS_PAUSE_SECONDS).
        login_seconds: How long a QR code can be scanned (XHS_LOGIN_SECONDS).
        cache_seconds: Longest time for which an answer is cached; 0 disables the cache (XHS_CACHE_SECONDS).
        uploads: Folder with the files to publish, or None without a data folder.
    """

    base_url: str = DEFAULT_BASE_URL
    creator_url: str = DEFAULT_CREATOR_URL
    accounts: tuple[str, ...] = (DEFAULT_ACCOUNT,)
    page_seconds: float = 40.0
    queue_seconds: float = 30.0
    interval_seconds: float = 6.0
    jitter_seconds: float = 4.0
    daily_pages: int = 500
    pause_seconds: float = 900.0
    login_seconds: float = 180.0
    cache_seconds: float = 1800.0
    uploads: Path | None = None

    @classmethod
    def from_environment(cls, data_dir: Path | None) -> SiteSettings:
        """Read the settings from environment variables.

        Raises:
            ValueError: A variable has a value that cannot be used; the message names it.
        """
        return cls(
            base_url=_origin("XHS_BASE_URL", DEFAULT_BASE_URL),
            creator_url=_origin("XHS_CREATOR_URL", DEFAULT_CREATOR_URL),
            accounts=_accounts(os.environ.get("XHS_ACCOUNTS", "")),
            page_seconds=environment_number("XHS_PAGE_SECONDS", 40, 1, 600),
            queue_seconds=environment_number("XHS_QUEUE_SECONDS", 30, 0, 600),
            interval_seconds=environment_number("XHS_INTERVAL_SECONDS", 6, 0, 600),
            jitter_seconds=environment_number("XHS_JITTER_SECONDS", 4, 0, 600),
            daily_pages=int(environment_number("XHS_DAILY_PAGES", 500, 1, 100_000)),
            pause_seconds=environment_number("XHS_PAUSE_SECONDS", 900, 0, 86_400),
            login_seconds=environment_number("XHS_LOGIN_SECONDS", 180, 10, 600),
            cache_seconds=environment_number("XHS_CACHE_SECONDS", 1800, 0, 86_400),
            uploads=data_dir / "uploads" if data_dir else None,
        )


def _origin(name: str, default: str) -> str:
    url = (os.environ.get(name) or default).rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query:
        raise ValueError(f"环境变量 {name} 的值 {url!r} 无效，应形如 {default}")
    return url


def _accounts(raw: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in raw.split(",") if name.strip()) or (DEFAULT_ACCOUNT,)
    wrong = [name for name in names if not _ACCOUNT.fullmatch(name)]
    if wrong or len(set(names)) < len(names):
        raise ValueError(
            f"环境变量 XHS_ACCOUNTS 的值 {raw!r} 无效，应为用逗号分开、互不相同的名字"
            "（小写字母、数字、-、_），如 main,second"
        )
    return names
