"""Tests the caller's address behind proxies that use the PROXY protocol."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator

import pytest

from infra.rendering.gateway.model import GatewayNetworks
from tests.gateway.conftest import started
from tests.gateway.support.gateway_under_test import ALPHA, CLIENT, SETTINGS, TOKEN, GatewayUnderTest, changed

CALLER, OTHER_CALLER = "203.0.113.9", "203.0.113.10"
ENTRANCES = [(80, "/api/alpha"), (443, "/api/alpha"), (8080, "/alpha"), (9000, "")]


@pytest.fixture(scope="module")
def behind_proxies(gateway_image: str) -> Iterator[GatewayUnderTest]:
    with started(gateway_image) as running:
        running.backend("alpha")
        configure(running, "0.0.0.0/0")
        yield running


def configure(gateway: GatewayUnderTest, *trusted_proxies: str) -> None:
    settings = changed(SETTINGS, limits={"refused_per_minute": 3})
    gateway.configure(settings, (ALPHA,), (CLIENT,), GatewayNetworks(trusted_proxies))


def announced(caller: str) -> bytes:
    return f"PROXY TCP4 {caller} 198.51.100.1 50000 80\r\n".encode()


def exchange(gateway: GatewayUnderTest, port: int, first: bytes, path: str, token: str = TOKEN) -> tuple[int, bytes]:
    """Send `first`, then a request; the status is 0 if the gateway closes without a response."""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", gateway.port(port)), timeout=20) as plain:
        plain.sendall(first)
        connection = plain
        if port == 443:
            connection = ssl._create_unverified_context().wrap_socket(plain)
        try:
            connection.sendall(request.encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        except ConnectionError:
            answer = b""
    head, _, body = answer.partition(b"\r\n\r\n")
    return (int(head.split()[1]) if head else 0), body


@pytest.mark.parametrize(("port", "prefix"), ENTRANCES)
def test_the_service_gets_the_real_address(behind_proxies: GatewayUnderTest, port: int, prefix: str) -> None:
    status, body = exchange(behind_proxies, port, announced(CALLER), f"{prefix}/x")
    assert status == 200
    headers = {name.lower(): value for name, value in json.loads(body)["headers"].items()}
    assert (headers["x-real-ip"], headers["x-forwarded-for"]) == (CALLER, CALLER)


def test_guesses_are_counted_by_the_real_address(behind_proxies: GatewayUnderTest) -> None:
    statuses = [exchange(behind_proxies, 80, announced(CALLER), "/api/alpha/x", "wrong" * 8)[0] for _ in range(9)]
    assert statuses[:3] == [401] * 3
    assert statuses[-1] == 429
    assert exchange(behind_proxies, 80, announced(OTHER_CALLER), "/api/alpha/x", "wrong" * 8)[0] == 401


@pytest.mark.parametrize("port", [80, 8080, 9000])
def test_a_caller_without_the_protocol_is_not_served(behind_proxies: GatewayUnderTest, port: int) -> None:
    assert exchange(behind_proxies, port, b"", "/health")[0] == 0


def test_the_health_check_of_the_container_still_works(behind_proxies: GatewayUnderTest) -> None:
    assert behind_proxies.healthy()


def test_an_address_from_an_untrusted_proxy_is_ignored(own_gateway: GatewayUnderTest) -> None:
    own_gateway.backend("alpha")
    configure(own_gateway, "192.0.2.0/24")
    status, body = exchange(own_gateway, 80, announced(CALLER), "/api/alpha/x")
    assert status == 200
    assert CALLER.encode() not in body


def test_the_protocol_is_off_by_default(gateway: GatewayUnderTest) -> None:
    assert exchange(gateway, 80, announced(CALLER), "/health")[0] == 400
