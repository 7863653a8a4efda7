"""Describes requests to an API platform, and builds their addresses without letting values change the path."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx2

from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import tr_lazy
from dyber_kit.upstream.api.quotas import Quota
from dyber_kit.upstream.http import MAX_CONNECTIONS

Values = Mapping[str, str | int]
Parameters = Mapping[str, str | int | float | bool | None]


@dataclass(frozen=True)
class ApiRequest:
    """Describes one request to an API platform.

    Attributes:
        method: HTTP method.
        path: Path with names in braces, such as `/repos/{owner}/{repo}`, also the `endpoint` label of metrics; or an
            absolute URL on the host of the platform, such as a link to the next page.
        values: Values of the names in `path`; each becomes a single segment, whatever it contains.
        params: Query parameters; those that are None are left out.
        json: Body that is sent as JSON.
        form: Body that is sent as form fields.
        headers: Further headers.
        quota: The daily quota that the request counts towards.
        cost: What the request costs of `quota`.
        has_effect: Whether the request changes something on the platform. It is then sent once only, and a lost answer
            is OUTCOME_UNKNOWN. By default, every method but GET and HEAD has an effect.
        signed: Whether credentials are added.
        endpoint: The `endpoint` label of metrics, when `path` is a URL.
    """

    method: str
    path: str
    values: Values = field(default_factory=dict)
    params: Parameters = field(default_factory=dict)
    json: Any = None
    form: Mapping[str, str] | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    quota: Quota | None = None
    cost: int = 1
    has_effect: bool | None = None
    signed: bool = True
    endpoint: str | None = None

    @property
    def changes_something(self) -> bool:
        """Return whether the request may change something on the platform."""
        return self.method not in ("GET", "HEAD") if self.has_effect is None else self.has_effect

    @property
    def label(self) -> str:
        """Return the `endpoint` label of metrics and rate limits."""
        return self.endpoint or ("other" if "://" in self.path else self.path)


@dataclass(frozen=True)
class ApiLimits:
    """Holds the limits of a client.

    Attributes:
        in_flight: Most requests at the same time.
        queue_seconds: Longest wait until fewer are in flight.
        patience_seconds: Longest pause that a request waits for instead of failing with RATE_LIMITED.
        connect_seconds: Longest time for connecting, and for each wait for data.
        total_seconds: Longest time of one attempt, including its body.
        attempts: Most attempts of a request without effects.
        retry_seconds: Longest first pause between attempts; it doubles.
        max_bytes: Largest body, after decompression.
        keep_seconds: How long answers with an ETag are kept for conditional requests.
    """

    in_flight: int = 4
    queue_seconds: float = 30.0
    patience_seconds: float = 5.0
    connect_seconds: float = 10.0
    total_seconds: float = 30.0
    attempts: int = 3
    retry_seconds: float = 0.5
    max_bytes: int = 4 * 2**20
    keep_seconds: float = 86400.0

    def __post_init__(self) -> None:
        if not 1 <= self.in_flight <= MAX_CONNECTIONS:
            raise ValueError(f"in_flight is {self.in_flight}, but must be between 1 and {MAX_CONNECTIONS}")
        if self.attempts < 1:
            raise ValueError("attempts must be at least 1")


def same_origin(first: httpx2.URL, second: httpx2.URL) -> bool:
    """Return whether two addresses have the same scheme, host and port."""
    return (first.scheme, first.host, _port(first)) == (second.scheme, second.host, _port(second))


def joined(base: httpx2.URL, target: str) -> httpx2.URL:
    """Return the address that `target` means on the page `base`.

    Raises:
        ServiceError: UPSTREAM_CHANGED when the platform sent something that is no address.
    """
    try:
        return base.join(target)
    except httpx2.InvalidURL:
        raise ServiceError(
            ErrorCode.UPSTREAM_CHANGED, tr_lazy("The platform gave an address that is not readable")
        ) from None


def address(base: httpx2.URL, request: ApiRequest) -> httpx2.URL:
    """Return the address of a request.

    Raises:
        ServiceError: INVALID_ARGUMENT for a value that cannot be a segment of a path; UPSTREAM_CHANGED for a URL on
            another host, to which the platform's credentials must not be sent.
        ValueError: A name in the path has no value, or the other way round.
    """
    if "://" in request.path:
        url = joined(base, request.path)
        if url.host == base.host and (url.scheme, base.scheme) == ("http", "https"):
            # Some platforms write their links without encryption.
            url = url.copy_with(scheme="https", port=base.port)
        if not same_origin(url, base):
            raise ServiceError(
                ErrorCode.UPSTREAM_CHANGED,
                tr_lazy(
                    "The platform gave an address on another site ({host}), which was not accessed", host=url.host[:100]
                ),
            )
    else:
        url = base.copy_with(path=base.path.rstrip("/") + _filled(request.path, request.values))
    params = {name: _text(value) for name, value in request.params.items() if value is not None}
    return url.copy_merge_params(params) if params else url


def _filled(path: str, values: Values) -> str:
    names = set(re.findall(r"\{(\w+)\}", path))
    if names != set(values) or not path.startswith("/"):
        raise ValueError(f"{path} needs values for {sorted(names)}, and a slash at its start")
    return re.sub(r"\{(\w+)\}", lambda name: _segment(name.group(1), str(values[name.group(1)])), path)


def _segment(name: str, value: str) -> str:
    if value.strip() in ("", ".", "..") or any(ord(character) < 32 for character in value):
        raise ServiceError(
            ErrorCode.INVALID_ARGUMENT,
            tr_lazy("The value of {name} must not be {value}", name=name, value=repr(value[:20])),
            tr_lazy("Check {name}", name=name),
        )
    return quote(value, safe="")


def _text(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _port(url: httpx2.URL) -> int | None:
    return url.port or {"http": 80, "https": 443}.get(url.scheme)
