"""Reads the settings of this service from environment variables."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from dyber_kit import environment_number, environment_secret

PUBLIC_API = "https://api.github.com"


@dataclass(frozen=True)
class GitHubSettings:
    """Holds where GitHub is, and who asks.

    Attributes:
        api_url: Address of the REST API; `https://HOST/api/v3` for GitHub Enterprise Server (GITHUB_API_URL).
        token: Personal access token, or None for anonymous requests (the secret GITHUB_TOKEN).
        allowed_addresses: Internal IP addresses that a GitHub Enterprise Server may have
            (GITHUB_ALLOWED_ADDRESSES, separated by commas).
        proxy: Address of an HTTP proxy (GITHUB_PROXY).
        cache_seconds: Longest time for which an answer is cached; 0 disables the cache (GITHUB_CACHE_SECONDS).
    """

    api_url: str = PUBLIC_API
    token: str | None = field(default=None, repr=False)
    allowed_addresses: tuple[str, ...] = ()
    proxy: str | None = field(default=None, repr=False)
    cache_seconds: float = 1800.0

    @property
    def web_url(self) -> str:
        """Return the address of the web site that belongs to the API, such as `https://github.com`."""
        parts = urlsplit(self.api_url)
        # GitHub.com and GitHub Enterprise Cloud with data residency have their API on `api.` of the site's host.
        return f"{parts.scheme}://{parts.netloc.removeprefix('api.')}"

    @classmethod
    def from_environment(cls) -> GitHubSettings:
        """Read the settings from environment variables.

        Raises:
            ValueError: A variable has a value that cannot be used; the message names it.
        """
        return cls(
            api_url=_address("GITHUB_API_URL", "https://github.example.com/api/v3") or PUBLIC_API,
            token=environment_secret("GITHUB_TOKEN"),
            allowed_addresses=_ip_addresses("GITHUB_ALLOWED_ADDRESSES"),
            proxy=_address("GITHUB_PROXY", "http://proxy.example.com:3128"),
            cache_seconds=environment_number("GITHUB_CACHE_SECONDS", 1800, 0, 86_400),
        )


def _address(name: str, example: str) -> str | None:
    value = os.environ.get(name, "").strip().rstrip("/")
    parts = urlsplit(value)
    if value and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query):
        # The value is left out, because the address of a proxy may contain a password.
        raise ValueError(f"环境变量 {name} 的值无效，应形如 {example}")
    return value or None


def _ip_addresses(name: str) -> tuple[str, ...]:
    values = [value.strip() for value in os.environ.get(name, "").split(",") if value.strip()]
    try:
        return tuple(str(ipaddress.ip_address(value)) for value in values)
    except ValueError:
        raise ValueError(f"环境变量 {name} 的值无效，应为逗号分隔的 IP 地址，例如 10.0.0.5") from None
