"""Tests callers that send as slowly as possible: they are closed, and other calls are not delayed."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator

import pytest

from tests.gateway.support.gateway_under_test import TOKEN, GatewayUnderTest

SLOW_HEADERS = 420
SLOW_BODIES = 40
#: Nginx waits 10 s; the rest is reserve for a busy machine.
CLOSED_AFTER_SECONDS = 20
HEAD = "{method} /api/alpha/x HTTP/1.1\r\nHost: localhost\r\n"
TOKEN_LINE = f"Authorization: Bearer {TOKEN}\r\n"
BODY = "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"


def connected(port: int, begin: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(begin.encode())
    connection.setblocking(False)
    return connection


def closed_by_the_gateway(
    connections: list[socket.socket], trickle: bytes, seconds: float
) -> Iterator[tuple[int, bytes]]:
    """Send `trickle` on every connection once a second; yields each time how many are closed and the responses."""
    selector = selectors.DefaultSelector()
    for connection in connections:
        selector.register(connection, selectors.EVENT_READ)
    closed, received, deadline = 0, b"", time.monotonic() + seconds
    while closed < len(connections) and time.monotonic() < deadline:
        for key, _ in selector.select(timeout=1):
            try:
                data = key.fileobj.recv(65536)
            except ConnectionError:
                data = b""
            received += data
            if not data:
                selector.unregister(key.fileobj)
                closed += 1
        yield closed, received
        for key in list(selector.get_map().values()):
            try:
                key.fileobj.send(trickle)
            except OSError:
                continue
        time.sleep(0.2)


@pytest.fixture
def opened() -> Iterator[list[socket.socket]]:
    connections: list[socket.socket] = []
    yield connections
    for connection in connections:
        connection.close()


def test_hundreds_of_slow_headers_are_closed_and_delay_no_other_call(
    gateway: GatewayUnderTest, opened: list[socket.socket]
) -> None:
    port = gateway.port(80)
    opened.extend(
        connected(port, HEAD.format(method="GET") + (TOKEN_LINE if number % 2 else ""))
        for number in range(SLOW_HEADERS)
    )
    statuses, slowest, closed = [], 0.0, 0
    for closed, _ in closed_by_the_gateway(opened, b"X-A: b\r\n", CLOSED_AFTER_SECONDS):  # noqa: B007 - its last value counts
        begun = time.monotonic()
        statuses.append(gateway.request("/api/alpha/ready").status)
        statuses.append(gateway.request("/health", port=443).status)
        slowest = max(slowest, time.monotonic() - begun)
    assert closed == SLOW_HEADERS
    assert len(statuses) >= 10
    assert set(statuses) == {200}
    assert slowest < 5


def test_slow_bodies_are_closed_and_delay_no_other_call(gateway: GatewayUnderTest, opened: list[socket.socket]) -> None:
    port = gateway.port(80)
    body = HEAD.format(method="POST") + TOKEN_LINE + BODY + '{"half": '
    opened.extend(connected(port, body) for _ in range(SLOW_BODIES))
    statuses, closed, received = [], 0, b""
    for closed, received in closed_by_the_gateway(opened, b"", CLOSED_AFTER_SECONDS):  # noqa: B007 - as above
        statuses.append(gateway.request("/api/alpha/ready").status)
    assert closed == SLOW_BODIES
    assert set(statuses) == {200}
    # No part of the bodies reached the service.
    assert received.count(b"HTTP/1.1 200") == 0


def test_without_a_good_token_the_gateway_does_not_wait_for_the_body(
    gateway: GatewayUnderTest, opened: list[socket.socket]
) -> None:
    opened.append(connected(gateway.port(80), HEAD.format(method="POST") + BODY + '{"half": '))
    opened[0].settimeout(5)
    assert opened[0].recv(65536).startswith(b"HTTP/1.1 401 ")
