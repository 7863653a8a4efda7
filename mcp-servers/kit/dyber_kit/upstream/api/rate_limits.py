"""Reads the rate limits that platforms state in headers, and tells how long requests have to wait for them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

# A reset above this is a time since 1970 in seconds, and above the second one in milliseconds.
_EPOCH = 10**9
_EPOCH_MILLISECONDS = 10**12
_LONGEST_WAIT = 31 * 86400.0
# Limits of this many endpoints are remembered.
_MOST_ENDPOINTS = 1000


@dataclass(frozen=True)
class RateLimit:
    """Holds the state of a rate limit as the platform stated it.

    Attributes:
        limit: Requests per window, when stated.
        remaining: Requests left in this window, when stated.
        reset_seconds: Seconds until the window ends, when stated.
        resource: The platform's name of the limit, such as GitHub's `core` and `search`; empty when it has none.
    """

    limit: int | None
    remaining: int | None
    reset_seconds: float | None
    resource: str = ""


def read_retry_after(headers: httpx2.Headers) -> float | None:
    """Return the seconds of a `Retry-After` header (a number or an HTTP date), or None without a usable value."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return min(float(value), _LONGEST_WAIT)
    until = _http_date(value)
    return None if until is None else _bounded((until - _server_time(headers)).total_seconds())


def read_rate_limit(headers: httpx2.Headers) -> RateLimit | None:
    """Return the rate limit that the headers of an answer state, or None without one.

    Understands `x-ratelimit-limit`, `-remaining`, `-reset` (seconds, or a time since 1970 as GitHub sends) and
    `-resource`; `RateLimit-Limit`, `-Remaining` and `-Reset`; `RateLimit: limit=100, remaining=50, reset=30`; and the
    form of draft-ietf-httpapi-ratelimit-headers, `RateLimit: "default";r=50;t=30`. Of several limits in one header, the
    one that ends the requests first is returned.
    """
    for prefix in ("x-ratelimit-", "ratelimit-", "x-rate-limit-"):
        limit = _whole_number(headers.get(f"{prefix}limit"))
        remaining = _whole_number(headers.get(f"{prefix}remaining"))
        if limit is not None or remaining is not None:
            reset = _reset(headers.get(f"{prefix}reset"), headers)
            return RateLimit(limit, remaining, reset, headers.get(f"{prefix}resource", "")[:50])
    stated = headers.get("ratelimit", "")
    limits = [entry for part in _split_outside_quotes(stated) if (entry := _structured(part, headers))]
    if limits:
        return min(limits, key=lambda entry: entry.remaining if entry.remaining is not None else 2**63)
    named = dict(re.findall(r"(limit|remaining|reset)\s*=\s*(\d+)", stated))
    if "remaining" in named:
        return RateLimit(
            _whole_number(named.get("limit")), int(named["remaining"]), _reset(named.get("reset"), headers)
        )
    return None


class RateLimits:
    """Remembers which limits of a platform are used up, so that no request is wasted on them.

    A limit is known by the platform's name for it; a limit without a name is that of its endpoint, because platforms
    without names usually count endpoints separately. Which limit a request counts towards is learnt from the last
    answer of the same endpoint; an endpoint that was never asked is held back by a pause of the whole platform only.

    Args:
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._resource_of: dict[str, str] = {}
        self._used_up_until: dict[str, float] = {}
        self._paused_until = float("-inf")
        self._last: dict[str, tuple[RateLimit, float]] = {}

    def seconds_to_wait(self, endpoint: str) -> float:
        """Return the seconds after which a request to `endpoint` may be sent; 0 for now."""
        resource = self._resource_of.get(endpoint)
        until = self._used_up_until.get(resource, float("-inf")) if resource is not None else float("-inf")
        return max(0.0, until - self._clock(), self._paused_until - self._clock())

    def learn(self, endpoint: str, headers: httpx2.Headers) -> RateLimit | None:
        """Note the limit that an answer states, and return it."""
        limit = read_rate_limit(headers)
        if limit is None:
            return None
        limit = limit if limit.resource else replace(limit, resource=endpoint)
        if endpoint not in self._resource_of and len(self._resource_of) >= _MOST_ENDPOINTS:
            return limit
        self._resource_of[endpoint] = limit.resource
        self._last[limit.resource] = (limit, self._clock())
        if limit.remaining == 0 and limit.reset_seconds is not None:
            self._used_up_until[limit.resource] = self._clock() + limit.reset_seconds
        else:
            self._used_up_until.pop(limit.resource, None)
        return limit

    def pause(self, seconds: float) -> None:
        """Hold back all requests, because the platform refused one without naming a limit that is used up."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    def states(self) -> list[RateLimit]:
        """Return the last state of every limit, with the time that has passed since taken into account."""
        states = []
        for limit, learnt_at in self._last.values():
            passed = self._clock() - learnt_at
            if limit.reset_seconds is None or limit.reset_seconds > passed:
                left = None if limit.reset_seconds is None else limit.reset_seconds - passed
                states.append(replace(limit, reset_seconds=left))
            else:
                states.append(replace(limit, remaining=limit.limit, reset_seconds=None))
        return states


def _structured(text: str, headers: httpx2.Headers) -> RateLimit | None:
    """Return the limit in one item such as `"default";r=50;t=30`, or None for another form."""
    name = re.match(r'\s*(?:"([^"]*)"|([\w*.-]+))\s*;', text)
    parameters = dict(re.findall(r";\s*([rtq])\s*=\s*(\d+)", text))
    if name is None or "r" not in parameters:
        return None
    resource = (name.group(1) or name.group(2) or "")[:50]
    return RateLimit(_policy(resource, headers), int(parameters["r"]), _reset(parameters.get("t"), headers), resource)


def _policy(resource: str, headers: httpx2.Headers) -> int | None:
    """Return the requests per window of a limit that `RateLimit-Policy` describes."""
    for part in _split_outside_quotes(headers.get("ratelimit-policy", "")):
        described = re.match(r'\s*"?([^";]*)"?\s*;.*?\bq\s*=\s*(\d+)', part)
        if described and described.group(1) == resource:
            return int(described.group(2))
    return None


def _split_outside_quotes(text: str) -> list[str]:
    return re.findall(r'(?:[^,"]|"[^"]*")+', text)


def _whole_number(text: str | None) -> int | None:
    # Some platforms append the window: `100, 100;w=60`.
    number = re.match(r"\s*(\d{1,15})\b", text or "")
    return int(number.group(1)) if number else None


def _reset(text: str | None, headers: httpx2.Headers) -> float | None:
    """Return the seconds until a reset that is stated in seconds, as a time since 1970, or as a date."""
    number = re.fullmatch(r"\s*(\d{1,15})(\.\d*)?\s*", text or "")
    if number is None:
        until = _http_date(text or "")
        return None if until is None else _bounded((until - _server_time(headers)).total_seconds())
    value = float(number.group(0))
    if value >= _EPOCH:
        seconds = value / 1000 if value >= _EPOCH_MILLISECONDS else value
        return _bounded(seconds - _server_time(headers).timestamp())
    return _bounded(value)


def _server_time(headers: httpx2.Headers) -> datetime:
    """Return the platform's own time, with which its resets agree even when this machine's clock is wrong."""
    return _http_date(headers.get("date", "")) or datetime.now(UTC)


def _http_date(text: str) -> datetime | None:
    try:
        time_ = parsedate_to_datetime(text)
    except ValueError:
        return None
    return time_ if time_.tzinfo else time_.replace(tzinfo=UTC)


def _bounded(seconds: float) -> float:
    return min(max(0.0, seconds), _LONGEST_WAIT)
