"""Reads the settings of this service from environment variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dyber_kit.browser.platform_settings import PlatformSettings

BASE_URL_SETTING = "SAMPLE_BROWSER_BASE_URL"
#: Stands for an address that is not set; write the address of your website here.
NO_ADDRESS = "https://www.example.invalid"


@dataclass(frozen=True)
class SiteSettings(PlatformSettings):
    """Holds the address of the website, its accounts and the pace of visits.

    The variable of each field is SAMPLE_BROWSER_ with the field's name, such as SAMPLE_BROWSER_INTERVAL_SECONDS. For
    fields of your own, see `number_field` and its neighbours in `dyber_kit.browser.platform_settings`.
    """

    PREFIX: ClassVar[str] = "SAMPLE_BROWSER"

    base_url: str = NO_ADDRESS
