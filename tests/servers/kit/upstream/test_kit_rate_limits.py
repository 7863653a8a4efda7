"""Tests of rate limits: the forms in which platforms state them, and that no request is wasted on them."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest
from dyber_kit import ErrorCode
from dyber_kit.errors import LocalRefusal
from dyber_kit.upstream.api.in_flight import InFlight
from dyber_kit.upstream.api.rate_limits import RateLimit, RateLimits, read_rate_limit, read_retry_after

from tests.servers.kit.upstream.conftest import quick_limits
from tests.support.patching import replace_in_this_thread

DATE = "Sun, 22 Nov 2026 10:00:00 GMT"
AT_DATE = int(datetime(2026, 11, 22, 10, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("headers", "limit"),
    [
        (
            {
                "x-ratelimit-limit": "60",
                "x-ratelimit-remaining": "59",
                "x-ratelimit-reset": str(AT_DATE + 90),
                "x-ratelimit-resource": "core",
            },
            RateLimit(60, 59, 90.0, "core"),
        ),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "30"}, RateLimit(None, 0, 30.0)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{AT_DATE + 90}000"}, RateLimit(None, 0, 90.0)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(AT_DATE - 5)}, RateLimit(None, 0, 0.0)),
        (
            {"ratelimit-limit": "100, 100;w=60", "ratelimit-remaining": "5", "ratelimit-reset": "7"},
            RateLimit(100, 5, 7.0),
        ),
        ({"ratelimit": "limit=100, remaining=50, reset=30"}, RateLimit(100, 50, 30.0)),
        (
            {"ratelimit": '"default";r=50;t=30', "ratelimit-policy": '"default";q=100;w=60'},
            RateLimit(100, 50, 30.0, "default"),
        ),
        (
            {"ratelimit": '"burst";r=9;t=1, "daily";r=0;t=3600', "ratelimit-policy": '"burst";q=10, "daily";q=1000'},
            RateLimit(1000, 0, 3600.0, "daily"),
        ),
        ({"ratelimit": '"a,b;c";r=3'}, RateLimit(None, 3, None, "a,b;c")),
        ({}, None),
        ({"ratelimit": "soon"}, None),
        ({"x-ratelimit-remaining": "many"}, None),
        ({"x-ratelimit-limit": "unlimited", "ratelimit": ';;;=,"r=1'}, None),
    ],
)
def test_limits_are_read_in_every_form(headers, limit):
    assert read_rate_limit(httpx2.Headers({"date": DATE, **headers})) == limit


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("1.5", 1.5),
        ("Sun, 22 Nov 2026 10:02:00 GMT", 120.0),
        ("Sun, 22 Nov 2026 09:00:00 GMT", 0.0),
        ("999999999999", 31 * 86400.0),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_the_time_to_wait_is_a_number_or_a_date(value, seconds):
    assert read_retry_after(httpx2.Headers({"retry-after": value, "date": DATE})) == seconds


def test_a_date_without_the_platforms_own_time_is_compared_with_this_machines():
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert 95 < (read_retry_after(httpx2.Headers({"retry-after": until})) or 0) <= 100


@pytest.mark.parametrize(
    ("kind", "code", "low", "high"),
    [
        ("primary", ErrorCode.RATE_LIMITED, 890, 901),
        ("secondary", ErrorCode.RATE_LIMITED, 60, 60),
        ("retry-after", ErrorCode.RATE_LIMITED, 120, 120),
        ("draft", ErrorCode.RATE_LIMITED, 300, 300),
        ("three-headers", ErrorCode.RATE_LIMITED, 45, 45),
        ("silent", ErrorCode.RATE_LIMITED, 60, 60),
    ],
)
async def test_a_rate_limit_is_told_with_its_wait_and_the_next_request_is_not_sent(
    client, platform, refusal, kind, code, low, high
):
    error = await refusal(client.get("/rate/{kind}", {"kind": kind}))
    assert error.code is code
    assert low <= error.retry_after <= high
    again = await refusal(client.get("/rate/{kind}", {"kind": kind}))
    assert isinstance(again, LocalRefusal)
    assert low - 5 <= again.retry_after <= high
    assert len(platform.state.requests) == 1


async def test_a_403_without_signs_of_a_limit_is_a_lack_of_permission(client, refusal):
    error = await refusal(client.get("/rate/forbidden"))
    assert (error.code, error.retry_after) == (ErrorCode.ACCESS_RESTRICTED, None)


async def test_a_limit_that_is_used_up_holds_back_its_own_requests_only(client, platform, refusal):
    platform.state.remaining["search"] = 1
    await client.get("/search/repositories", params={"q": "x"})
    error = await refusal(client.get("/search/repositories", params={"q": "y"}))
    assert (error.code, isinstance(error, LocalRefusal)) == (ErrorCode.RATE_LIMITED, True)
    assert 1790 < error.retry_after <= 1801
    await client.get("/repos/{owner}/{repo}", {"owner": "octocat", "repo": "hello"})
    assert len(platform.state.requests) == 2


async def test_the_last_stated_limits_can_be_shown_without_a_request(client, platform):
    await client.get("/search/repositories", params={"q": "x"})
    await client.get("/repos/{owner}/{repo}", {"owner": "octocat", "repo": "hello"})
    shown = {limit.resource: (limit.limit, limit.remaining) for limit in client.rate_limits}
    assert shown == {"search": (60, 9), "core": (60, 58)}
    assert len(platform.state.requests) == 2


async def test_a_short_limit_is_waited_for(make_client, platform):
    client = make_client(limits=quick_limits(patience_seconds=5))
    calls = [client.get("/status/{status}", {"status": 429}, params={"wait": 0})]
    results = await asyncio.gather(*calls, return_exceptions=True)
    # The shortest wait is a second, so that a platform's zero does not become a storm.
    assert results[0].code is ErrorCode.RATE_LIMITED
    assert len(platform.state.requests) == 3


async def test_a_request_that_has_to_pause_after_it_got_its_place_gives_the_place_back():
    # The limit is used up by another request, between the first look and the place.
    pauses = iter([0.0, 0.001, 0.001, 0.0])
    places = InFlight(1, queue_seconds=1, patience_seconds=1)
    async with places.slot(lambda: next(pauses)):
        pass
    async with places.slot(lambda: 0.0):
        pass
    assert next(pauses, None) is None


def test_a_limit_is_available_again_after_its_reset():
    now = [0.0]
    limits = RateLimits(clock=lambda: now[0])
    limits.learn(
        "/a", httpx2.Headers({"x-ratelimit-limit": "9", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "30"})
    )
    assert (limits.seconds_to_wait("/a"), limits.seconds_to_wait("/never-asked")) == (30.0, 0.0)
    now[0] = 31.0
    assert limits.seconds_to_wait("/a") == 0.0
    assert limits.states() == [RateLimit(9, 9, None, "/a")]


def test_limits_without_names_are_counted_by_endpoint():
    limits = RateLimits()
    used_up = {"x-rate-limit-limit": "15", "x-rate-limit-remaining": "0", "x-rate-limit-reset": "900"}
    limits.learn("/a", httpx2.Headers(used_up))
    limits.learn("/b", httpx2.Headers({**used_up, "x-rate-limit-remaining": "14"}))
    assert limits.seconds_to_wait("/a") > 890
    assert limits.seconds_to_wait("/b") == 0


def test_a_pause_holds_back_every_request_and_is_not_shortened():
    now = [0.0]
    limits = RateLimits(clock=lambda: now[0])
    limits.pause(60)
    limits.pause(5)
    assert limits.seconds_to_wait("/anything") == 60.0


def test_a_wrong_clock_of_this_machine_does_not_change_the_wait(monkeypatch):
    replace_in_this_thread(monkeypatch, time, "time", lambda: 0.0)
    headers = httpx2.Headers({"date": DATE, "x-ratelimit-remaining": "0", "x-ratelimit-reset": str(AT_DATE + 10)})
    assert read_rate_limit(headers) == RateLimit(None, 0, 10.0)
