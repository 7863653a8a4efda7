"""Tests of the guard of clients that use a real proxy."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from dyber_kit import ErrorCode
from dyber_kit.upstream.http import create_client

from tests.stand_in.platforms.api_platform import create_platform
from tests.stand_in.proxy import running_proxy
from tests.stand_in.running import free_port, running
from tests.support.patching import replace_in_this_thread


@pytest.fixture
async def proxy(platform):
    async with running_proxy(("127.0.0.1", int(platform.base.rsplit(":", 1)[1]))) as proxy:
        yield proxy


@pytest.fixture
def addresses(monkeypatch) -> dict[str, str]:
    """Return the names that can be resolved, with their addresses; all others fail."""
    known: dict[str, str] = {}

    async def resolve(_loop, host, *_args, **_options):
        if host not in known:
            raise socket.gaierror(-2, "Name or service not known")
        return [(2, 1, 6, "", (known[host], 0))]

    replace_in_this_thread(monkeypatch, asyncio.BaseEventLoop, "getaddrinfo", resolve)
    return known


async def test_requests_go_through_the_proxy(make_client, proxy, platform, addresses):
    addresses["api.example"] = "1.1.1.1"
    answer = await make_client("http://api.example", proxy=proxy.url).get("/echo/")
    assert answer.status == 200
    assert proxy.received == ["GET http://api.example/echo/ HTTP/1.1"]
    assert platform.state.headers[0]["host"] == "api.example"


async def test_a_name_that_only_the_proxy_can_resolve_is_reached_when_the_list_has_it(make_client, proxy, addresses):
    assert (await make_client("http://api.example", proxy=proxy.url).get("/echo/")).status == 200


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1"])
async def test_an_allowed_name_with_a_private_network_is_not_sent_to_the_proxy(
    make_client, proxy, addresses, refusal, address
):
    addresses["api.example"] = address
    error = await refusal(make_client("http://api.example", proxy=proxy.url).get("/echo/"))
    assert (error.code, proxy.received) == (ErrorCode.INVALID_ARGUMENT, [])
    assert "内部网络" in error.message


async def test_a_redirect_to_a_private_network_is_not_sent_to_the_proxy(make_client, proxy, addresses, refusal):
    addresses |= {"api.example": "1.1.1.1", "files.example": "192.168.1.1"}
    client = make_client("http://api.example", proxy=proxy.url, allowed_hosts=["*.example"])
    error = await refusal(client.get("/redirect", params={"to": "http://files.example/"}))
    assert (error.code, len(proxy.received)) == (ErrorCode.UPSTREAM_CHANGED, 1)


async def test_a_subdomain_that_cannot_be_checked_is_not_sent_to_the_proxy(proxy, addresses, refusal):
    async with create_client(["*.example"], proxy=proxy.url) as client:
        error = await refusal(client.get("http://files.example/"))
    assert (error.code, proxy.received) == (ErrorCode.INVALID_ARGUMENT, [])


async def test_a_host_that_is_not_allowed_is_not_sent_to_the_proxy(proxy, addresses, refusal):
    addresses["other.example"] = "1.1.1.1"
    async with create_client(["api.example"], proxy=proxy.url) as client:
        assert (await refusal(client.get("http://other.example/"))).code is ErrorCode.INVALID_ARGUMENT
    assert proxy.received == []


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """Return the base URL of a stand-in that speaks TLS as api.example, and its certificate."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "api.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("api.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "crt").write_bytes(certificate.public_bytes(pem))
    (folder / "key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    config = uvicorn.Config(
        create_platform(),
        port=free_port(),
        log_level="warning",
        ssl_certfile=folder / "crt",
        ssl_keyfile=folder / "key",
    )
    with running(uvicorn.Server(config)) as base:
        yield base, folder / "crt"


async def test_encrypted_requests_use_a_tunnel(encrypted, addresses, monkeypatch):
    base, certificate = encrypted
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with running_proxy(("127.0.0.1", int(base.rsplit(":", 1)[1]))) as proxy:
        async with create_client(["api.example"], proxy=proxy.url) as client:
            for _ in range(2):
                assert (await client.get("https://api.example/echo/")).status_code == 200
    # The second request uses the open tunnel, and the proxy sees neither path nor content.
    assert proxy.received == ["CONNECT api.example:443 HTTP/1.1"]


async def test_a_tunnel_to_another_server_is_refused_by_its_certificate(encrypted, addresses, monkeypatch, refusal):
    base, certificate = encrypted
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with running_proxy(("127.0.0.1", int(base.rsplit(":", 1)[1]))) as proxy:
        async with create_client(["other.example"], proxy=proxy.url, attempts=1) as client:
            assert (await refusal(client.get("https://other.example/"))).code is ErrorCode.UPSTREAM_UNREACHABLE


async def test_a_proxy_that_wants_a_password_gets_it_and_the_platform_does_not(make_client, proxy, platform, addresses):
    proxy.password = "user:pass word"
    client = make_client("http://api.example", proxy=proxy.url.replace("://", "://user:pass%20word@"))
    assert (await client.get("/echo/")).status == 200
    assert "proxy-authorization" not in platform.state.headers[0]


async def test_a_proxy_that_is_not_given_its_password_is_named_as_the_cause(make_client, proxy, addresses, refusal):
    proxy.password = "user:password"
    error = await refusal(make_client("http://api.example", proxy=proxy.url).get("/echo/"))
    assert (error.code, "代理" in error.message) == (ErrorCode.NOT_CONFIGURED, True)


@pytest.mark.parametrize("password", ["", "user:password"])
async def test_a_proxy_that_opens_no_tunnel_is_named_as_the_cause(make_client, proxy, addresses, refusal, password):
    proxy.refuses, proxy.password = True, password
    error = await refusal(make_client("https://api.example", proxy=proxy.url).post("/echo/"))
    assert (error.code, "代理没有接通" in error.message) == (ErrorCode.UPSTREAM_UNREACHABLE, True)


async def test_a_proxy_that_is_down_is_reported(make_client, addresses, refusal):
    client = make_client("http://api.example", proxy=f"http://127.0.0.1:{free_port()}")
    assert (await refusal(client.get("/echo/"))).code is ErrorCode.UPSTREAM_UNREACHABLE


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "127.0.0.1:3128", "http://", "http://user:secret@:x"])
def test_an_address_that_is_no_http_proxy_is_refused_without_showing_its_password(proxy):
    with pytest.raises(ValueError, match="proxy") as caught:
        create_client(["api.example"], proxy=proxy)
    assert "secret" not in str(caught.value)
