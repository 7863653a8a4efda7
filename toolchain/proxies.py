"""Prepares the proxy variables, so that loopback bypasses the proxy and Python sees no SOCKS proxy.

This module uses the standard library only, because it also runs before the virtual environment is made.

Pulumi's Python program talks to Pulumi over gRPC on 127.0.0.1. gRPC reads the lower-case variables only, sends
loopback through the proxy unless `no_grpc_proxy` or `no_proxy` names it, and treats a space in `no_proxy` as part of a
name. Go's programs read both cases and never send loopback through a proxy. pip and httpx2 need more
packages for SOCKS.
"""

from __future__ import annotations

import ipaddress
import re
import sys
import urllib.request
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from messages import tr

LOOPBACK = ("localhost", "127.0.0.1", "::1")
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy", "ftp_proxy")
#: Schemes of the proxies that pip and httpx2 can use.
USABLE_SCHEMES = ("http", "https")


def loopback_bypass(env: Mapping[str, str]) -> dict[str, str]:
    """Return `no_proxy`, `NO_PROXY` and `no_grpc_proxy` of `env` with loopback added.

    Returns {} if `env` names no proxy: on macOS and Windows `no_proxy` alone would hide the system's proxy.
    """
    if not any(_both_cases(env, name) for name in PROXY_VARIABLES):
        return {}
    lower, upper = env.get("no_proxy"), env.get("NO_PROXY")
    lower_value = lower if lower is not None else upper or ""
    upper_value = upper if upper is not None else lower_value
    grpc = env.get("no_grpc_proxy")
    return {
        "no_proxy": _with_loopback(lower_value),
        "NO_PROXY": _with_loopback(upper_value),
        # gRPC does not understand `*` as every host.
        "no_grpc_proxy": _with_loopback(grpc if grpc is not None else lower_value, keep_wildcard=False),
    }


def unusable(env: Mapping[str, str]) -> dict[str, str]:
    """Return the proxy variables of `env`, with their values, that pip and httpx2 cannot use."""
    values = {}
    for name in PROXY_VARIABLES:
        for variable in (name, name.upper()):
            if (value := env.get(variable, "").strip()) and not _is_usable(value):
                values[variable] = value
    return values


def for_python(env: Mapping[str, str]) -> dict[str, str]:
    """Return `env` for pip and other Python programs.

    Proxies that they cannot use are removed, and loopback bypasses the proxy.
    """
    removed = unusable(env)
    kept = {name: value for name, value in env.items() if name not in removed}
    return {**kept, **loopback_bypass(env)}


def left_out_message(env: Mapping[str, str]) -> str:
    """Return a line about the proxies that Python's downloads cannot use; '' if there are none."""
    names = ", ".join(f"{name} ({without_password(value)})" for name, value in unusable(env).items())
    if not names:
        return ""
    others = tr("the proxy of http_proxy and https_proxy is used")
    direct = tr("connections are direct; if a proxy is needed, name its HTTP address in http_proxy and https_proxy")
    has_usable_proxy = bool(for_address("https://a.example", env))
    return tr(
        "Python's downloads can use http:// and https:// proxies only and leave out {names}: {instead}",
        names=names,
        instead=others if has_usable_proxy else direct,
    )


def for_address(address: str, env: Mapping[str, str]) -> str | None:
    """Return the proxy through which Python reaches `address`; None if it connects directly."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    if is_loopback(host):
        return None
    ignored = unusable(env)
    usable = {name.lower(): value for name, value in env.items() if name.isupper() and name not in ignored}
    usable |= {name: value for name, value in env.items() if name.islower() and name not in ignored}
    proxy = (usable.get(f"{parts.scheme}_proxy") or usable.get("all_proxy") or "").strip()
    if not proxy:
        return None if any(_both_cases(env, name) for name in PROXY_VARIABLES) else _system_proxy(parts.scheme, host)
    listed = env.get("no_proxy") or env.get("NO_PROXY") or ""
    bypassed = urllib.request.proxy_bypass_environment  # type: ignore[attr-defined] # the stubs lack it
    if bypassed(parts.netloc.rpartition("@")[2], {"no": ",".join(_entries(listed))}):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def on_loopback(env: Mapping[str, str]) -> dict[str, str]:
    """Return the proxy variables that name a proxy on this machine's loopback, which containers cannot reach."""
    values = {}
    for name in PROXY_VARIABLES:
        for variable in (name, name.upper()):
            value = env.get(variable, "").strip()
            if value and is_loopback(_host(value)):
                values[variable] = value
    return values


def without_password(proxy: str) -> str:
    """Return a proxy's address without its user and password."""
    scheme, separator, rest = proxy.rpartition("://")
    return scheme + separator + rest.rpartition("@")[2]


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine itself."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _with_loopback(text: str, *, keep_wildcard: bool = True) -> str:
    entries = _entries(text)
    if "*" in entries:
        if keep_wildcard:
            return "*"
        entries.remove("*")
    return ",".join([*entries, *(name for name in LOOPBACK if name not in entries)])


def _entries(text: str) -> list[str]:
    return list(dict.fromkeys(entry for entry in re.split(r"[,\s]+", text) if entry))


def _both_cases(env: Mapping[str, str], name: str) -> str:
    return (env.get(name) or env.get(name.upper()) or "").strip()


def _is_usable(proxy: str) -> bool:
    try:
        parts = _split(proxy)
        return parts.scheme.lower() in USABLE_SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _split(proxy: str) -> SplitResult:
    return urlsplit(proxy if "://" in proxy else f"http://{proxy}")


def _host(proxy: str) -> str:
    try:
        return _split(proxy).hostname or ""
    except ValueError:
        return ""


def _system_proxy(scheme: str, host: str) -> str | None:
    """Return the proxy that macOS or Windows has in its settings."""
    if sys.platform not in ("darwin", "win32") or urllib.request.proxy_bypass(host):
        return None
    proxy = urllib.request.getproxies().get(scheme)
    return proxy if proxy and _is_usable(proxy) else None
