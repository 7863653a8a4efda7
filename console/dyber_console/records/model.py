"""Defines what is recorded: calls as the gateway logged them, and spans as the services sent them."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

#: Length of the periods in which calls are summed, in seconds.
HALF_HOUR = 1800
#: A bucket of durations is this much wider than the one before, so a percentile is off by 2.5% at most.
_GROWTH = 1.05


class Result(IntEnum):
    """Says how a call ended, in the four groups of the filter."""

    OK = 0
    FAILED = 1
    REFUSED = 2
    CANCELLED = 3


#: Outcomes of the gateway that refuse a call, whose service was not asked.
REFUSALS = frozenset(
    {
        "unauthorized", "forbidden", "insufficient_scope", "login_unavailable", "foreign_origin", "unknown_host",
        "rate_limited", "circuit_open",
    }
)  # fmt: skip


def storable(text: str) -> str:
    """Return a text without halves of surrogate pairs, which JSON may have and SQLite cannot store."""
    return text.encode("utf-8", "replace").decode()


def result_of(outcome: str) -> Result:
    """Return the group of an outcome: `ok`, `cancelled`, or a code of the gateway or of a service."""
    if outcome == "ok":
        return Result.OK
    if outcome == "cancelled":
        return Result.CANCELLED
    return Result.REFUSED if outcome in REFUSALS else Result.FAILED


@dataclass(frozen=True)
class Call:
    """Holds one request to a service, from the gateway's access log.

    Attributes:
        at: When it began, in seconds since 1970.
        outcome: `ok`, `cancelled`, or the code of the failure.
        is_call: False for requests that are no calls of tools as far as is known, such as the list of tools.
        upstreams: The addresses that were tried, in order.
        upstream_seconds: How long each of them took; None without an answer.
        upstream_statuses: The HTTP status of each of them, "" without an answer.
        span_id: The id that the gateway gave the service as the parent of its spans; "" when it gave none.
        parent_id: The id of the caller's span, or "".
        sampled: Whether the caller wants spans to be sent on.
        breaker: What the breaker counted.
        via: `direct` for the service's own address, else the address of the hub that it came by.
    """

    at: float
    request_id: str
    trace_id: str
    client: str
    service: str
    tool: str
    outcome: str
    seconds: float
    status: int = 200
    is_call: bool = True
    mcp_method: str = ""
    path: str = ""
    protocol: str = ""
    bytes_in: int = 0
    bytes_out: int = 0
    upstreams: tuple[str, ...] = ()
    upstream_seconds: tuple[float | None, ...] = ()
    breaker: str = ""
    remote: str = ""
    user_agent: str = ""
    via: str = ""
    upstream_statuses: tuple[str, ...] = ()
    span_id: str = ""
    parent_id: str = ""
    sampled: bool = True
    id: int = 0

    @property
    def result(self) -> Result:
        """Return the group of the outcome."""
        return result_of(self.outcome)

    @property
    def tries(self) -> int:
        """Return how many replicas the gateway asked."""
        return len(self.upstreams)


@dataclass(frozen=True)
class Span:
    """Holds one span of a service: a named part of the time of a call.

    Attributes:
        start: When it began, in seconds since 1970.
        tool: The called tool, for the span of a call.
        outcome: How the call ended, for the span of a call.
        details: Few attributes to show, such as the host and the status of a request to the platform.
    """

    trace_id: str
    span_id: str
    parent_id: str
    service: str
    name: str
    start: float
    seconds: float
    failed: bool = False
    tool: str = ""
    outcome: str = ""
    details: dict[str, str] = field(default_factory=dict)

    @property
    def is_other_request(self) -> bool:
        """Return whether it is the span of a request that calls no tool, such as a list or a handshake."""
        method = self.details.get("mcp.method.name", "")
        return self.details.get("kind") == "server" and method not in ("", "tools/call")


def half_hour(at: float) -> int:
    """Return the number of the half hour in which a time lies, counted since 1970."""
    return int(at // HALF_HOUR)


def bucket(seconds: float) -> int:
    """Return the bucket of a duration; bucket 0 is up to a millisecond."""
    milliseconds = seconds * 1000
    return 0 if milliseconds <= 1 else math.ceil(math.log(milliseconds, _GROWTH))


def bucket_seconds(number: int) -> float:
    """Return the middle of a bucket in seconds."""
    return _GROWTH ** (number - 0.5) / 1000 if number else 0.001


class Durations:
    """Holds the number of calls by bucket of durations in little memory, for the many that are kept."""

    __slots__ = ("_buckets", "_counts")

    def __init__(self, counts: Mapping[int, int]) -> None:
        self._buckets = array("H", counts.keys())
        self._counts = array("I", counts.values())

    def counter(self) -> Counter[int]:
        """Return the number of calls by bucket."""
        return Counter(dict(zip(self._buckets, self._counts, strict=True)))

    def __eq__(self, other: object) -> bool:
        """Tell whether others are the same numbers."""
        return isinstance(other, Durations) and self.counter() == other.counter()

    __hash__ = None  # type: ignore[assignment]


def percentile(counts: Mapping[int, int], share: float) -> float | None:
    """Return the duration in seconds below which this share of calls lies, by buckets; None without calls."""
    wanted = share * sum(counts.values())
    passed = 0
    for number in sorted(counts):
        passed += counts[number]
        if passed >= wanted and passed:
            return bucket_seconds(number)
    return None
