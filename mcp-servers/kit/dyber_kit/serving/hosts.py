"""Refuses requests of web pages that reach a server without a gateway by a name of theirs (DNS rebinding).

Behind the gateway, which checks Host and Origin, a server accepts every host. Pure functions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

#: Allows every host; the check is then left to the gateway.
ANY_HOST = "*"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def default_hosts(listen: str) -> tuple[str, ...]:
    """Return the host names that a server which listens on an address accepts, unless ALLOWED_HOSTS is set."""
    return LOOPBACK if listen in LOOPBACK else (ANY_HOST,)


def foreign(headers: Mapping[str, str], allowed: Collection[str]) -> str | None:
    """Return the name of the header, `Host` or `Origin`, that has a host which is not allowed; None when none has."""
    if ANY_HOST in allowed:
        return None
    if _host(f"//{headers.get('host', '')}") not in allowed:
        return "Host"
    origin = headers.get("origin")
    if origin is not None and _host(origin) not in allowed:
        return "Origin"
    return None


def _host(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
