"""Reads the settings of services with a browser: address, accounts and pace, and the fields that a service adds.

    @dataclass(frozen=True)
    class SiteSettings(PlatformSettings):
        PREFIX: ClassVar[str] = "DEMO"

        base_url: str = "https://www.example.com"
        api_url: str = origin_field("https://api.example.com")
        cache_seconds: float = number_field(1800.0, 0, 86_400)
        token: str | None = secret_field()

The variable of a field is the prefix with the field's name: DEMO_CACHE_SECONDS.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from dyber_kit.browser.sessions import DEFAULT_ACCOUNT
from dyber_kit.language import tr
from dyber_kit.settings import environment_flag, environment_number, environment_secret

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
#: In the metadata of a field: reads its value from the variable of this name, given the values of the base class.
_READ, _VARIABLE = "read", "variable"
Read = Callable[[str, Mapping[str, Any]], Any]


def number_field(default: float, low: float, high: float) -> Any:
    """Return a field for a number within bounds; the number is whole when the default is an `int`."""

    def read(name: str, _: Mapping[str, Any]) -> float:
        value = environment_number(name, default, low, high)
        return int(value) if isinstance(default, int) else value

    return field(default=default, metadata={_READ: read})


def origin_field(default: str, *, follows_base: str = "") -> Any:
    """Return a field for the origin of another part of the platform.

    Args:
        default: The origin when the variable is not set.
        follows_base: The usual `base_url`; another one, such as that of a stand-in, also takes the place of `default`.
    """

    def read(name: str, base: Mapping[str, Any]) -> str:
        moved = follows_base and base["base_url"] != follows_base
        return environment_origin(name, base["base_url"] if moved else default)

    return field(default=default, metadata={_READ: read})


def flag_field(default: bool) -> Any:
    """Return a field for a switch."""
    return field(default=default, metadata={_READ: lambda name, _: environment_flag(name, default)})


def secret_field(variable: str = "") -> Any:
    """Return a field for a secret, which `repr` does not show and which is None when it is not set.

    Args:
        variable: The full name of the variable, where it is not the prefix with the field's name.
    """
    metadata = {_READ: lambda name, _: environment_secret(name), _VARIABLE: variable}
    return field(default=None, repr=False, metadata=metadata)


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
    def from_environment(cls, _data_dir: Path | None = None) -> Self:
        """Read the settings from environment variables.

        Raises:
            ValueError: A variable has a value that cannot be used; the message names it.
        """
        return cls(**cls.environment_values())

    @classmethod
    def environment_values(cls) -> dict[str, Any]:
        """Return the values of all fields but `shared_pace` from environment variables.

        Raises:
            ValueError: A variable has a value that cannot be used; the message names it.
        """
        numbers = {
            name: environment_number(f"{cls.PREFIX}_{name.upper()}", getattr(cls, name), *bounds)
            for name, bounds in _BOUNDS.items()
        }
        base = {
            **numbers,
            "daily_pages": int(numbers["daily_pages"]),
            "base_url": environment_origin(f"{cls.PREFIX}_BASE_URL", cls.base_url),
            "accounts": _accounts(f"{cls.PREFIX}_ACCOUNTS"),
        }
        return {**base, **{name: read(variable, base) for name, variable, read in cls._added_fields()}}

    @classmethod
    def _added_fields(cls) -> list[tuple[str, str, Read]]:
        """Return name, variable and reader of each field that a service added with one of the functions above."""
        return [
            (item.name, item.metadata.get(_VARIABLE) or f"{cls.PREFIX}_{item.name.upper()}", item.metadata[_READ])
            for item in fields(cls)
            if _READ in item.metadata
        ]


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
