"""Reads the settings that every service with a browser has: address, accounts and pace."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlsplit

from dyber_kit.browser.sessions import DEFAULT_ACCOUNT
from dyber_kit.language import tr
from dyber_kit.settings import environment_number

_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
#: Lowest and highest value of each number.
_BOUNDS = {
    "page_seconds": (1, 600),
    "queue_seconds": (0, 600),
    "interval_seconds": (0, 600),
    "jitter_seconds": (0, 600),
    "daily_pages": (1, 100_000),
    "pause_seconds": (0, 86_400),
    "login_seconds": (10, 600),
}


@dataclass(frozen=True)
class PlatformSettings:
    """Holds the address of a platform, its accounts, and the pace of visits.

    A service derives its settings from this class, with its own `PREFIX` and defaults; the variable of a field is the
    prefix with the field's name, such as `XHS_PAGE_SECONDS`.

    Attributes:
        base_url: Origin of the platform, without a trailing slash.
        accounts: Names of the accounts, in the variable separated by commas; calls without a name use the first.
        page_seconds: Deadline of one page visit, in seconds.
        queue_seconds: Longest wait for a turn before BUSY, in seconds.
        interval_seconds: Least time between the starts of two page visits.
        jitter_seconds: Longest random time that is added to the interval each time.
        daily_pages: Most page visits per day.
        pause_seconds: First pause after a captcha or a rate limit; it doubles.
        login_seconds: How long a QR code can be scanned.
        shared_pace: Whether all accounts share one queue, one daily maximum and one pause, so that a request that the
            platform refuses to one account is not tried with another; otherwise each account has its own.
    """

    PREFIX: ClassVar[str] = ""

    base_url: str = ""
    accounts: tuple[str, ...] = (DEFAULT_ACCOUNT,)
    page_seconds: float = 40.0
    queue_seconds: float = 30.0
    interval_seconds: float = 6.0
    jitter_seconds: float = 4.0
    daily_pages: int = 500
    pause_seconds: float = 900.0
    login_seconds: float = 180.0
    shared_pace: bool = False

    @classmethod
    def environment_values(cls) -> dict[str, Any]:
        """Return the values of the fields above from environment variables; `shared_pace` is not one of them.

        Raises:
            ValueError: A variable has a value that cannot be used; the message names it.
        """
        values = {
            name: environment_number(f"{cls.PREFIX}_{name.upper()}", getattr(cls, name), *bounds)
            for name, bounds in _BOUNDS.items()
        }
        return {
            **values,
            "daily_pages": int(values["daily_pages"]),
            "base_url": environment_origin(f"{cls.PREFIX}_BASE_URL", cls.base_url),
            "accounts": _accounts(f"{cls.PREFIX}_ACCOUNTS"),
        }


def environment_origin(name: str, default: str) -> str:
    """Return the origin, such as `https://www.example.com`, in a variable. Raises ValueError."""
    url = (os.environ.get(name) or default).rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query:
        raise ValueError(
            tr(
                "The value {value} of the environment variable {name} is not usable; it must be like {example}",
                name=name,
                value=repr(url),
                example=default,
            )
        )
    return url


def _accounts(variable: str) -> tuple[str, ...]:
    raw = os.environ.get(variable, "")
    names = tuple(name.strip() for name in raw.split(",") if name.strip()) or (DEFAULT_ACCOUNT,)
    wrong = [name for name in names if not _ACCOUNT.fullmatch(name)]
    if wrong or len(set(names)) < len(names):
        raise ValueError(
            tr(
                "The value {value} of the environment variable {name} is not usable; it must be different names "
                "separated by commas (lower-case letters, digits, -, _), such as main,second",
                name=variable,
                value=repr(raw),
            )
        )
    return names
