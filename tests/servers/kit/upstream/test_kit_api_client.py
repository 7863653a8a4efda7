"""Tests of the client of API platforms: addresses, retries, effects, redirects and requests in flight."""

from __future__ import annotations

import asyncio

import anyio
import httpx2
import pytest
from dyber_kit import ErrorCode, Metrics, ServiceError
from dyber_kit.errors import LocalRefusal
from dyber_kit.upstream.api.client import ApiClient
from dyber_kit.upstream.api.credentials import HeaderKey
from dyber_kit.upstream.api.errors import ErrorRules
from dyber_kit.upstream.api.requests import ApiLimits, ApiRequest, address
from dyber_kit.upstream.breaker import Breaker, BreakerState
from prometheus_client import generate_latest
from pydantic import BaseModel

from tests.servers.kit.upstream.conftest import quick_limits
from tests.stand_in.running import free_port
from tests.support.patching import replace_in_this_thread

ZHIHU = ErrorRules(
    code_at="Code",
    message_at="Message",
    codes={20001: ErrorCode.LOGIN_EXPIRED, 30001: ErrorCode.RATE_LIMITED, 30002: ErrorCode.QUOTA_EXHAUSTED},
    key_setting="ZHIHU_ACCESS_SECRET",
)


class Repository(BaseModel):
    full_name: str
    stargazers_count: int


async def until(condition) -> None:
    with anyio.fail_after(10):
        while not condition():
            await asyncio.sleep(0.01)


async def test_an_answer_is_read_as_a_model(client):
    answer = await client.get("/repos/{owner}/{repo}", {"owner": "octocat", "repo": "hello"})
    assert answer.model(Repository) == Repository(full_name="octocat/hello", stargazers_count=80)
    assert (answer.at("owner.login"), answer.request_id) == ("octocat", "C0DE:1A2B:3C4D")


async def test_a_value_cannot_leave_its_segment_of_the_path(client, platform):
    await client.get("/echo/{name}/end", {"name": "a/../b?x=1#y%2Fz 中"})
    assert platform.state.requests == ["GET /echo/a%2F..%2Fb%3Fx%3D1%23y%252Fz%20%E4%B8%AD/end"]


@pytest.mark.parametrize("value", ["..", ".", "", " ", "a\nb"])
async def test_a_value_that_would_change_the_path_is_refused_by_its_name(client, platform, refusal, value):
    error = await refusal(client.get("/repos/{owner}/{repo}", {"owner": value, "repo": "x"}))
    assert (error.code, platform.state.requests) == (ErrorCode.INVALID_ARGUMENT, [])
    assert "owner" in error.message


@pytest.mark.parametrize("values", [{}, {"owner": "a", "repo": "b", "more": "c"}])
async def test_a_path_with_other_names_than_its_values_is_a_mistake_in_the_program(client, values):
    with pytest.raises(ValueError, match="owner"):
        await client.get("/repos/{owner}/{repo}", values)


async def test_parameters_are_encoded_and_missing_values_left_out(client):
    answer = await client.get("/echo/", params={"q": "a&b=中", "empty": None, "flag": True, "page": 2})
    assert answer.at("query") == {"q": "a&b=中", "flag": "true", "page": "2"}


async def test_the_path_of_the_base_address_stays(make_client, platform):
    await make_client(platform.base + "/echo/v1/").get("/items")
    assert platform.state.requests == ["GET /echo/v1/items"]


async def test_an_address_on_another_host_is_refused(client, platform, refusal):
    error = await refusal(client.get("http://elsewhere.example/x"))
    assert (error.code, platform.state.requests) == (ErrorCode.UPSTREAM_CHANGED, [])


@pytest.mark.parametrize("base", ["api.example.com", "ftp://api.example.com", "https://", "https://x.example/?key=1"])
def test_a_base_address_that_is_no_address_is_refused(base):
    with pytest.raises(ValueError, match="not an address"):
        ApiClient(base)


async def test_requests_without_effects_are_sent_again_after_server_errors(client, platform):
    platform.state.failures = 2
    assert (await client.get("/flaky")).json() == {"ok": True}
    assert platform.state.requests == ["GET /flaky"] * 3


async def test_the_last_failure_is_reported_with_its_request_id(client, platform, refusal):
    platform.state.failures = 9
    error = await refusal(client.get("/flaky"))
    assert (error.code, error.request_id) == (ErrorCode.UPSTREAM_UNREACHABLE, "flaky-1")
    assert platform.state.requests == ["GET /flaky"] * 3


async def test_each_attempt_is_signed_anew(make_client, platform):
    platform.state.failures = 2
    nonces = iter("123")

    async def sign(request) -> None:
        request.headers["x-nonce"] = next(nonces)

    await make_client(signer=sign).get("/flaky")
    assert [headers["x-nonce"] for headers in platform.state.headers] == ["1", "2", "3"]


async def test_a_signer_sees_the_body_that_is_sent(make_client, platform):
    seen = []
    await make_client(signer=lambda request: seen.append(request.content)).post("/echo/", json={"a": "中"})
    assert seen == platform.state.bodies == ['{"a":"中"}'.encode()]


async def test_a_request_with_effects_is_sent_once_and_its_outcome_is_unknown_after_a_server_error(
    client, platform, refusal
):
    platform.state.failures = 9
    error = await refusal(client.post("/flaky"))
    assert (error.code, error.request_id) == (ErrorCode.OUTCOME_UNKNOWN, "flaky-1")
    assert platform.state.requests == ["POST /flaky"]


async def test_a_post_that_only_reads_is_sent_again(client, platform):
    platform.state.failures = 1
    assert (await client.post("/flaky", has_effect=False)).json() == {"ok": True}


async def test_a_request_with_effects_that_never_left_can_be_retried(make_client, refusal):
    error = await refusal(make_client(f"http://127.0.0.1:{free_port()}").post("/x"))
    assert (error.code, error.retryable) == (ErrorCode.UPSTREAM_UNREACHABLE, True)


async def test_a_refused_request_with_effects_is_not_unclear(client, refusal):
    assert (await refusal(client.post("/status/422"))).code is ErrorCode.INVALID_ARGUMENT
    assert (await refusal(client.post("/status/503", params={"wait": 7}))).retry_after == 7


async def test_a_request_with_effects_that_is_not_answered_in_time_is_unclear(make_client, platform, refusal):
    error = await refusal(make_client(limits=quick_limits(total_seconds=0.2)).post("/slow"))
    assert error.code is ErrorCode.OUTCOME_UNKNOWN
    platform.state.release.set()


async def test_the_outcome_is_reported_before_the_deadline_of_the_call(client, platform, refusal):
    with anyio.fail_after(1.0):
        error = await refusal(client.post("/slow"))
    assert error.code is ErrorCode.OUTCOME_UNKNOWN
    platform.state.release.set()


async def test_an_answer_that_is_not_the_agreed_json_leaves_the_outcome_of_an_effect_unknown(make_client, refusal):
    assert (await refusal(make_client(errors=ZHIHU).post("/odd/html"))).code is ErrorCode.OUTCOME_UNKNOWN


async def test_an_answer_without_an_end_is_given_up(make_client, refusal):
    client = make_client(limits=quick_limits(total_seconds=0.3, attempts=1))
    assert (await refusal(client.get("/drip"))).code is ErrorCode.UPSTREAM_UNREACHABLE


async def test_a_slow_request_does_not_keep_others_waiting(make_client, platform):
    client = make_client(limits=quick_limits(in_flight=2))
    slow = asyncio.create_task(client.get("/slow"))
    await until(lambda: platform.state.open_slow == 1)
    for _ in range(5):
        await client.get("/echo/")
    assert not slow.done()
    platform.state.release.set()
    assert (await slow).json() == {"ok": True}


async def test_no_more_requests_are_in_flight_than_allowed(make_client, platform):
    client = make_client(limits=quick_limits(in_flight=3))
    waiting = [asyncio.create_task(client.get("/slow")) for _ in range(8)]
    await until(lambda: platform.state.open_slow == 3)
    await asyncio.sleep(0.1)
    assert len(platform.state.requests) == 3
    platform.state.release.set()
    await asyncio.gather(*waiting)
    assert len(platform.state.requests) == 8


async def test_a_request_that_finds_no_place_in_time_is_told_so(make_client, platform, refusal):
    client = make_client(limits=quick_limits(in_flight=1, queue_seconds=0.05))
    slow = asyncio.create_task(client.get("/slow"))
    await until(lambda: platform.state.open_slow == 1)
    error = await refusal(client.get("/echo/"))
    assert (error.code, isinstance(error, LocalRefusal)) == (ErrorCode.BUSY, True)
    platform.state.release.set()
    await slow


async def test_cancelled_requests_return_their_places(make_client, platform):
    client = make_client(limits=quick_limits(in_flight=1))
    for _ in range(3):
        slow = asyncio.create_task(client.get("/slow"))
        await until(lambda: platform.state.open_slow == 1)
        slow.cancel()
        await until(lambda: platform.state.open_slow == 0)
    assert (await client.get("/echo/")).status == 200


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("http://api.example/v2?x=1", "https://api.example/v2?x=1"),
        ("https://api.example/v2", "https://api.example/v2"),
        ("https://api.example:443/v2", "https://api.example/v2"),
    ],
)
def test_a_link_without_encryption_to_the_same_host_is_encrypted(link, url):
    assert str(address(httpx2.URL("https://api.example"), ApiRequest("GET", link))) == url


@pytest.mark.parametrize(
    "link", ["https://api.example:8443/", "https://api.example.evil.example/", "https://api.example@evil.example/"]
)
def test_a_link_to_another_origin_is_refused(link):
    with pytest.raises(ServiceError, match="另一个网站"):
        address(httpx2.URL("https://api.example"), ApiRequest("GET", link))


@pytest.mark.parametrize("in_flight", [0, 21])
def test_more_requests_in_flight_than_connections_are_refused(in_flight):
    with pytest.raises(ValueError, match="in_flight"):
        ApiLimits(in_flight=in_flight)


async def test_a_renamed_item_is_followed_with_credentials(make_client, platform):
    client = make_client(signer=HeaderKey("the-key-value"))
    answer = await client.get("/repos/{owner}/{repo}", {"owner": "octocat", "repo": "renamed"})
    assert answer.at("full_name") == "octocat/hello"
    assert [headers.get("authorization") for headers in platform.state.headers] == ["Bearer the-key-value"] * 2


async def test_a_redirect_to_another_allowed_host_gets_no_credentials(make_client, platform, monkeypatch):
    port = int(platform.base.rsplit(":", 1)[1])

    async def resolve(_loop, host, *_args, **_options):
        return [(2, 1, 6, "", ("127.0.0.1", port))]

    replace_in_this_thread(monkeypatch, asyncio.BaseEventLoop, "getaddrinfo", resolve)
    client = make_client(
        signer=HeaderKey("the-key-value", header="X-Api-Key", scheme=""),
        headers={"X-Team": "secret-team"},
        allowed_hosts=["files.example"],
    )
    answer = await client.get("/redirect", params={"to": f"http://files.example:{port}/echo/"})
    assert platform.state.headers[0]["x-api-key"] == "the-key-value"
    assert answer.at("headers").keys() & {"x-api-key", "x-team", "authorization", "cookie"} == set()


@pytest.mark.parametrize(
    "target", ["http://10.0.0.1/", "http://169.254.169.254/latest", "http://localhost:1/", "file:///etc"]
)
async def test_a_redirect_to_a_private_network_is_not_followed(client, platform, refusal, target):
    error = await refusal(client.get("/redirect", params={"to": target}))
    assert (error.code, len(platform.state.requests)) == (ErrorCode.UPSTREAM_CHANGED, 1)
    assert "不允许访问" in error.message


async def test_a_redirect_to_something_that_is_no_address_is_reported(client, refusal):
    error = await refusal(client.get("/redirect", params={"to": "http://[::1"}))
    assert error.code is ErrorCode.UPSTREAM_CHANGED


async def test_redirects_in_a_circle_end(client, platform, refusal):
    error = await refusal(client.get("/circle"))
    assert (error.code, len(platform.state.requests)) == (ErrorCode.UPSTREAM_CHANGED, 6)


async def test_a_request_with_effects_is_not_redirected(client, platform, refusal):
    error = await refusal(client.post("/redirect", params={"to": "/echo/", "status": 307}))
    assert (error.code, len(platform.state.requests)) == (ErrorCode.OUTCOME_UNKNOWN, 1)


async def test_a_breaker_stops_all_requests_after_a_wall(make_client, platform, refusal):
    breaker = Breaker("demo", pause_seconds=60)
    client = make_client(breaker=breaker)
    await refusal(client.get("/rate/retry-after"))
    assert breaker.state is BreakerState.OPEN
    error = await refusal(client.get("/echo/"))
    assert (error.code, len(platform.state.requests)) == (ErrorCode.RATE_LIMITED, 1)


async def test_requests_are_counted_by_path_without_values(make_client):
    metrics = Metrics("x")
    client = make_client(metrics=metrics)
    await client.get("/repos/{owner}/{repo}", {"owner": "octocat", "repo": "hello"})
    await client.send(ApiRequest("GET", "/echo/", endpoint="echo"))
    shown = generate_latest(metrics.registry).decode()
    assert 'upstream_requests_total{endpoint="/repos/{owner}/{repo}",service="x",status="200"} 1.0' in shown
    assert 'upstream_requests_total{endpoint="echo",service="x",status="200"} 1.0' in shown
