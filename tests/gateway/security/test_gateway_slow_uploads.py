"""Tests large bodies that arrive slowly: many of them from one client lose no call of another client."""

from __future__ import annotations

import hashlib
import json
import select
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import pytest

from infra.rendering.gateway.bodies import body_limits
from infra.rendering.gateway.configuration import ANONYMOUS_CONNECTIONS
from infra.rendering.gateway.model import GatewayClient
from tests.gateway.conftest import started
from tests.gateway.support import http2_call
from tests.gateway.support.docker_cli import docker, wait_until
from tests.gateway.support.gateway_under_test import (
    ALPHA,
    CLIENT,
    OTHER_TOKEN,
    SETTINGS,
    TOKEN,
    GatewayUnderTest,
    changed,
)

MIB = 2**20
#: The space for temporary files in the gateway's container.
LARGE_BODIES = changed(SETTINGS, max_body_mib=16, memory_mib=128)
OTHER = GatewayClient("other", (hashlib.sha256(OTHER_TOKEN.encode()).hexdigest(),))
UPLOADS = 8
HEAD = f"POST /api/alpha/ready HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
ANNOUNCED = f"{HEAD}Content-Length: {16 * MIB}\r\n\r\n".encode()
UNANNOUNCED = f"{HEAD}Transfer-Encoding: chunked\r\n\r\n{16 * MIB:x}\r\n".encode()
HYPHENATED = UNANNOUNCED.replace(b"POST", b"M-SEARCH", 1)


@pytest.fixture(scope="module")
def busy(gateway_image: str) -> Iterator[GatewayUnderTest]:
    with started(gateway_image) as running:
        running.backend("alpha")
        running.configure(LARGE_BODIES, (replace(ALPHA, requests_per_second=10_000),), (CLIENT, OTHER))
        wait_until(lambda: running.request("/api/alpha/ready").status == 200, "alpha is reached")
        yield running


def most_of_a_body(port: int, head: bytes) -> socket.socket:
    """Return a connection on which 15 of 16 MiB were sent, or as much as the gateway accepted."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    try:
        connection.sendall(head)
        for _ in range(15):
            connection.sendall(b"x" * MIB)
    except OSError:
        pass
    return connection


def refused(connections: list[socket.socket]) -> int:
    """Count the connections that got a response."""
    readable, _, _ = select.select(connections, [], [], 0)
    return len(readable)


def accepted(busy: GatewayUnderTest, size: int) -> bool:
    """Tell whether the other client's call with a body of some bytes reaches the service."""
    answer = busy.request("/api/alpha/ready", method="POST", token=OTHER_TOKEN, body=b"y" * size)
    assert answer.status in (200, 429), answer.body
    return answer.status == 200


@pytest.mark.parametrize("head", [ANNOUNCED, UNANNOUNCED, HYPHENATED], ids=["with its length", "in chunks", "M-SEARCH"])
def test_many_slow_uploads_of_one_client_cost_no_other_client_a_call(busy: GatewayUnderTest, head: bytes) -> None:
    port = busy.port(80)
    with ThreadPoolExecutor(UPLOADS) as pool:
        uploads = list(pool.map(lambda _: most_of_a_body(port, head), range(UPLOADS)))
    try:
        wait_until(lambda: refused(uploads) == UPLOADS - 1, "all uploads but one are refused")
        for size in (10, 20_000, 200_000, 3 * MIB, 15 * MIB):
            # A client may send one large body at a time, and the one before counts until Nginx has ended its request.
            wait_until(lambda size=size: accepted(busy, size), f"{size} bytes of another client are accepted")  # type: ignore[misc]
        assert busy.request("/api/alpha/ready", method="POST", body=b"{}").status == 200
    finally:
        for upload in uploads:
            upload.close()


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_call_over_http2_that_should_have_no_body_fills_no_temporary_file(
    busy: GatewayUnderTest, method: str
) -> None:
    port, path = busy.port(80), "/api/alpha/ready"
    large = http2_call.call(port, method, path, TOKEN, b"x" * 60_000)
    assert json.loads(large)["code"] == "too_large"
    for body in (b"", b"x" * 5_000):
        assert b'"code"' not in http2_call.call(port, method, path, TOKEN, body)


def test_a_call_over_http2_with_another_method_is_counted_as_an_upload(busy: GatewayUnderTest) -> None:
    with closing(most_of_a_body(busy.port(80), UNANNOUNCED)):
        answer = http2_call.call(busy.port(80), "QUERY", "/api/alpha/ready", TOKEN, b"{}")
        assert json.loads(answer)["code"] == "rate_limited"


def test_the_limit_has_its_own_error(busy: GatewayUnderTest) -> None:
    with closing(most_of_a_body(busy.port(80), ANNOUNCED)):
        answers = [busy.request("/api/alpha/ready", method="POST", body=b"y" * 2 * MIB) for _ in range(3)]
        assert {answer.status for answer in answers} == {429}
        assert answers[0].json()["code"] == "rate_limited"
        assert answers[0].headers["Retry-After"] == "1"
    wait_until(
        lambda: busy.request("/api/alpha/ready", method="POST", body=b"y" * 2 * MIB).status == 200, "there is room"
    )


def test_all_accepted_bodies_fit_into_the_memory_for_them(busy: GatewayUnderTest) -> None:
    total = docker("exec", busy.name, "df", "--output=size", "--block-size=1M", "/tmp").split()[-1]
    assert int(total) == LARGE_BODIES.body_memory_mib
    assert body_limits(LARGE_BODIES)["large"].total * 16 <= LARGE_BODIES.body_memory_mib


def test_only_calls_without_a_token_are_limited_by_address(busy: GatewayUnderTest) -> None:
    # Each is answered at once but stays open until its body has arrived.
    head = f"POST /api/alpha/ready HTTP/1.1\r\nHost: localhost\r\nContent-Length: {MIB}\r\n\r\n".encode()
    connections = [socket.create_connection(("127.0.0.1", busy.port(80)), 20) for _ in range(ANONYMOUS_CONNECTIONS + 5)]
    try:
        for connection in connections:
            connection.sendall(head)
        wait_until(lambda: refused(connections) == len(connections), "all are answered")
        statuses = [connection.recv(64).split()[1] for connection in connections]
        assert set(statuses) == {b"401", b"429"}
        assert statuses.count(b"401") == ANONYMOUS_CONNECTIONS
        assert busy.request("/api/alpha/ready").status == 200
    finally:
        for connection in connections:
            connection.close()
