"""Reads the settings of this service from environment variables."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from dyber_kit import environment_number, environment_secret
from dyber_kit.upstream.http import tls_context

from github_server.translations import tr

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
        certificates: Certificates, in PEM form, of authorities that signed the certificate of a GitHub Enterprise
            Server (GITHUB_CA, or the file that GITHUB_CA_FILE names).
        cache_seconds: Longest time for which an answer is cached; 0 disables the cache (GITHUB_CACHE_SECONDS).
    """

    api_url: str = PUBLIC_API
    token: str | None = field(default=None, repr=False)
    allowed_addresses: tuple[str, ...] = ()
    proxy: str | None = field(default=None, repr=False)
    certificates: str | None = None
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
            certificates=_certificates("GITHUB_CA"),
            cache_seconds=environment_number("GITHUB_CACHE_SECONDS", 1800, 0, 86_400),
        )


def _address(name: str, example: str) -> str | None:
    value = os.environ.get(name, "").strip().rstrip("/")
    parts = urlsplit(value)
    if value and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query):
        # The value is left out, because the address of a proxy may contain a password.
        raise ValueError(
            tr(
                "The value of the environment variable {name} is not usable; it must be like {example}",
                name=name,
                example=example,
            )
        )
    return value or None


def _certificates(name: str) -> str | None:
    value = environment_secret(name)
    try:
        if value is not None:
            tls_context(value)
    except ValueError:
        raise ValueError(tr("The environment variable {name} has no certificates in PEM form", name=name)) from None
    return value


def _ip_addresses(name: str) -> tuple[str, ...]:
    values = [value.strip() for value in os.environ.get(name, "").split(",") if value.strip()]
    try:
        return tuple(str(ipaddress.ip_address(value)) for value in values)
    except ValueError:
        raise ValueError(
            tr(
                "The value of the environment variable {name} is not usable; it must be IP addresses such as 10.0.0.5, "
                "separated by commas",
                name=name,
            )
        ) from None
