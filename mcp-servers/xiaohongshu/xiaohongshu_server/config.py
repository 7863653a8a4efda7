"""Reads the settings of this service from environment variables."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

from dyber_kit.browser.platform_settings import PlatformSettings, number_field, origin_field

DEFAULT_BASE_URL = "https://www.xiaohongshu.com"
DEFAULT_CREATOR_URL = "https://creator.xiaohongshu.com"


@dataclass(frozen=True)
class SiteSettings(PlatformSettings):
    """Holds the addresses of the site, its accounts, and the pace of visits, which all accounts share.

    Attributes:
        creator_url: Origin of the site where notes are published (XHS_CREATOR_URL).
        cache_seconds: Longest time for which an answer is cached; 0 disables the cache (XHS_CACHE_SECONDS).
        uploads: Folder with the files to publish, or None without a data folder.
    """

    PREFIX: ClassVar[str] = "XHS"

    base_url: str = DEFAULT_BASE_URL
    shared_pace: bool = True
    creator_url: str = origin_field(DEFAULT_CREATOR_URL)
    cache_seconds: float = number_field(1800.0, 0, 86_400)
    uploads: Path | None = None

    @classmethod
    def from_environment(cls, data_dir: Path | None = None) -> Self:
        """Read the settings from environment variables, for a folder of data.

        Raises:
            ValueError: A variable has a value that cannot be used; the message names it.
        """
        settings = super().from_environment(data_dir)
        return replace(settings, uploads=data_dir / "uploads" if data_dir else None)
