"""Tests of the HTTP client for platforms: allowed hosts, limits and retries."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator

import httpx2
import pytest
import uvicorn
from dyber_kit import ErrorCode, Metrics, ServiceError
from dyber_kit.upstream.http import ENDPOINT, create_client, host_allowed, is_public
from prometheus_client import generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.stand_in.running import free_port, running
from tests.support.patching import replace_in_this_thread

received: list[str] = []


async def answer(request: Request) -> Response:
    kind = request.path_params["kind"]
    received.append(f"{request.method} {kind}")
    if kind == "redirect":
        return RedirectResponse(request.query_params["to"])
    if kind == "flaky":
        recovered = received.count(f"{request.method} flaky") > 2
        return PlainTextResponse("", 200 if recovered else 503)
    if kind == "broken":
        return PlainTextResponse("no", 502)
    if kind == "missing":
        return PlainTextResponse("no", 404)
    if kind == "large":
        return PlainTextResponse("x" * 5000)
    if kind == "bomb":
        return Response(gzip.compress(b"x" * 5000), headers={"content-encoding": "gzip"})
    if kind == "gzip":
        return Response(gzip.compress("你好".encode()), headers={"content-encoding": "gzip"})
    if kind == "broken-gzip":
        return Response(b"no gzip at all", headers={"content-encoding": "gzip"})
    if kind == "odd":
        return Response(b"x", headers={"content-encoding": "br"})
    return PlainTextResponse("ok")


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    app = Starlette(routes=[Route("/{kind}", answer, methods=["GET", "POST"])])
    with running(uvicorn.Server(uvicorn.Config(app, port=free_port(), log_level="warning"))) as base:
        yield base


@pytest.fixture
async def client(site):
    received.clear()
    async with create_client(
        ["127.0.0.1"], base_url=site, max_bytes=1000, timeout=5, retry_wait=0.001
    ) as guarded_client:
        yield guarded_client


async def refused(client: httpx2.AsyncClient, url: str, method: str = "GET", **options: object) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await client.request(method, url, **options)
    return caught.value


async def test_a_request_to_an_allowed_host_is_answered(client):
    assert (await client.get("/ok")).text == "ok"


@pytest.mark.parametrize(
    "url", ["http://localhost:1/x", "http://example.com/", "ftp://127.0.0.1/x", "http://127.0.0.2/"]
)
async def test_any_other_address_is_refused(client, url):
    error = await refused(client, url)
    assert error.code is ErrorCode.INVALID_ARGUMENT


async def test_a_redirect_to_another_host_is_refused(client):
    error = await refused(client, "/redirect", params={"to": "http://example.com/"})
    assert (error.code, received) == (ErrorCode.INVALID_ARGUMENT, ["GET redirect"])


async def test_a_redirect_within_the_list_is_followed(client):
    assert (await client.get("/redirect", params={"to": "/ok"})).text == "ok"


@pytest.mark.parametrize("name", ["localhost", "127.1", "0x7f000001"])
async def test_an_allowed_name_that_points_into_the_private_network_is_refused(site, name):
    async with create_client([name], retry_wait=0.001) as client:
        error = await refused(client, site.replace("127.0.0.1", name) + "/ok")
    assert error.code is ErrorCode.INVALID_ARGUMENT
    assert "内部网络" in error.message


async def test_the_connection_goes_to_the_address_that_was_checked(site, monkeypatch):
    port = int(site.rsplit(":", 1)[1])
    resolved = []

    async def resolve(_loop, host, *_args, **_options):
        resolved.append(host)
        return [(2, 1, 6, "", ("127.0.0.1", port))]

    replace_in_this_thread(monkeypatch, asyncio.BaseEventLoop, "getaddrinfo", resolve)
    async with create_client(["platform.example", "127.0.0.1"]) as client:
        assert (await client.get(f"http://platform.example:{port}/ok")).text == "ok"
    assert resolved[0] == "platform.example"


async def test_safe_requests_are_retried_after_server_errors(client):
    assert (await client.get("/flaky")).status_code == 200
    assert received == ["GET flaky"] * 3


async def test_the_last_answer_is_returned_when_all_retries_fail(client):
    assert (await client.get("/broken")).status_code == 502
    assert received == ["GET broken"] * 3


async def test_requests_that_may_have_an_effect_are_never_retried(client):
    assert (await client.post("/broken")).status_code == 502
    assert received == ["POST broken"]


async def test_a_client_error_is_not_retried(client):
    assert (await client.get("/missing")).status_code == 404
    assert received == ["GET missing"]


async def test_a_host_that_does_not_answer_is_reported_as_unreachable():
    async with create_client(["127.0.0.1"], retry_wait=0.001) as client:
        error = await refused(client, f"http://127.0.0.1:{free_port()}/")
    assert error.code is ErrorCode.UPSTREAM_UNREACHABLE


@pytest.mark.parametrize("path", ["/large", "/bomb"])
async def test_reading_stops_when_a_body_exceeds_the_limit(client, path):
    assert "已停止读取" in (await refused(client, path)).message


async def test_a_compressed_body_is_read(client):
    assert (await client.get("/gzip")).text == "你好"


async def test_a_compression_that_was_not_requested_is_refused(client):
    assert (await refused(client, "/odd")).code is ErrorCode.UPSTREAM_CHANGED


@pytest.mark.parametrize("path", ["/odd", "/large", "/bomb", "/broken-gzip", "/redirect?to=http://example.com/"])
async def test_refused_answers_return_their_connections_to_the_pool(client, path):
    for _ in range(25):  # More than the largest number of open connections.
        await refused(client, path)
    assert (await client.get("/ok")).text == "ok"


async def test_refused_addresses_return_their_connections_to_the_pool(site):
    async with create_client(["0x7f000002", "127.0.0.1"], timeout=5) as client:
        for _ in range(25):
            await refused(client, site.replace("127.0.0.1", "0x7f000002") + "/ok")
        assert (await client.get(f"{site}/ok")).text == "ok"


@pytest.mark.parametrize(
    "option",
    [
        {"mounts": {"all://": httpx2.AsyncHTTPTransport()}},
        {"transport": httpx2.AsyncHTTPTransport()},
        {"trust_env": True},
        {"verify": False},
        {"cert": "x.pem"},
        {"limits": httpx2.Limits()},
    ],
)
def test_an_option_that_could_bypass_the_guard_is_refused_by_name(option):
    with pytest.raises(TypeError, match=next(iter(option))):
        create_client(["127.0.0.1"], **option)


async def test_proxies_of_the_environment_are_not_used(site, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:9")
    async with create_client(["127.0.0.1"]) as client:
        assert (await client.get(f"{site}/ok")).text == "ok"


async def test_a_name_whose_address_changes_between_two_requests_is_checked_again(site, monkeypatch):
    port = int(site.rsplit(":", 1)[1])
    addresses = iter(["127.0.0.1", "10.0.0.1"])

    async def resolve(_loop, host, *_args, **_options):
        return [(2, 1, 6, "", (next(addresses), port))]

    replace_in_this_thread(monkeypatch, asyncio.BaseEventLoop, "getaddrinfo", resolve)
    async with create_client(["platform.example", "127.0.0.1"], retry_wait=0.001) as client:
        url = f"http://platform.example:{port}/ok"
        assert (await client.get(url, headers={"connection": "close"})).text == "ok"
        assert "内部网络" in (await refused(client, url)).message


async def test_each_attempt_is_counted_by_endpoint_and_status(site):
    received.clear()
    metrics = Metrics("x")
    async with create_client(["127.0.0.1"], base_url=site, metrics=metrics, retry_wait=0.001) as client:
        await client.get("/flaky", extensions={ENDPOINT: "hot"})
        await refused(client, f"http://127.0.0.1:{free_port()}/")
    shown = generate_latest(metrics.registry).decode()
    assert 'upstream_requests_total{endpoint="hot",service="x",status="503"} 2.0' in shown
    assert 'upstream_requests_total{endpoint="hot",service="x",status="200"} 1.0' in shown
    assert 'upstream_requests_total{endpoint="other",service="x",status="error"} 3.0' in shown


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("weibo.com", True),
        ("WEIBO.com.", True),
        ("m.weibo.cn", True),
        ("a.b.weibo.cn", True),
        ("weibo.cn", False),
        ("evilweibo.cn", False),
        ("weibo.com.evil.example", False),
        ("", False),
    ],
)
def test_hosts_match_names_and_wildcards_of_the_list(host, allowed):
    assert host_allowed(host, ["weibo.com", "*.weibo.cn"]) is allowed


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("1.1.1.1", True),
        ("2606:4700::1111", True),
        ("198.18.0.5", True),
        ("10.0.0.1", False),
        ("172.17.0.1", False),
        ("192.168.1.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:7f00:1::", False),
        ("::127.0.0.1", False),
        ("::", False),
        ("fec0::1", False),
        ("64:ff9b:1::7f00:1", False),
        ("64:ff9b::808:808", True),
    ],
)
def test_private_and_public_addresses_are_distinguished(address, public):
    assert is_public(address) is public


def test_certificates_that_are_none_are_refused_when_the_client_is_made():
    for text in ("", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"):
        with pytest.raises(ValueError, match="not in PEM form"):
            create_client(["api.example.com"], certificates=text)
