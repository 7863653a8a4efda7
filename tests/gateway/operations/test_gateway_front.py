"""Tests that the front keeps the ports open while the gateway behind it is replaced."""

from __future__ import annotations

import http.client
import re
import select
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from infra.parts.gateway import SECOND_ADDRESS
from tests.gateway.support.docker_cli import docker, wait_until
from tests.gateway.support.front_under_test import FRONT_FOLDER, FrontUnderTest, build_front
from tests.gateway.support.gateway_under_test import ALPHA, TOKEN, GatewayUnderTest

REPLACEMENTS = 3
CALLERS = 4
#: alpha without a limit that would hold calls back.
UNLIMITED = replace(ALPHA, requests_per_second=100_000)
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def front(gateway_image: str) -> Iterator[FrontUnderTest]:
    running = FrontUnderTest(build_front(), GatewayUnderTest(gateway_image), ports=(80, 80 + SECOND_ADDRESS))
    try:
        running.start()
        running.gateway.backend("alpha")
        running.configure(services=(UNLIMITED,))
        wait_until(lambda: get(running.port(80), "/api/alpha/ready") == 200, "alpha is reached")
        yield running
    finally:
        running.stop()


def get(port: int, path: str, headers: dict[str, str] | None = None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path, headers={**AUTHORIZED, **(headers or {})})
        return connection.getresponse().status
    finally:
        connection.close()


def call_until(stop: Event, port: int) -> list[int | str]:
    """Send POSTs one after the other on a connection; returns the status or error of each."""
    results: list[int | str] = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while not stop.wait(0.005):
        try:
            connection.request("POST", "/api/alpha/x", b"{}", headers=AUTHORIZED)
            response = connection.getresponse()
            response.read()
            results.append(response.status)
        except OSError as error:
            results.append(repr(error))
            connection.close()
    return results


def test_replacing_the_gateway_loses_no_call(front: FrontUnderTest) -> None:
    stop = Event()
    port = front.port(80)
    with ThreadPoolExecutor(CALLERS) as pool:
        callers = [pool.submit(call_until, stop, port) for _ in range(CALLERS)]
        try:
            for _ in range(REPLACEMENTS):
                front.replace_gateway()
        finally:
            stop.set()
        results = [result for caller in callers for result in caller.result()]
    assert len(results) > 100
    assert set(results) == {200}, Counter(results)


def test_the_second_address_of_a_port_leads_to_the_same_gateway(front: FrontUnderTest) -> None:
    assert get(front.port(80 + SECOND_ADDRESS), "/api/alpha/ready", {"X-Request-Id": "over-ipv6"}) == 200
    assert front.gateway.logged("over-ipv6")["remote"] != front.address


def test_a_call_that_runs_while_the_gateway_is_replaced_is_answered(front: FrontUnderTest) -> None:
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(get, front.port(80), "/api/alpha/slow?milliseconds=4000")
        front.replace_gateway()
        assert slow.result() == 200


def test_the_gateway_knows_the_address_of_the_caller(front: FrontUnderTest) -> None:
    assert get(front.port(80), "/api/alpha/ready", {"X-Request-Id": "who-is-calling"}) == 200
    remote = front.gateway.logged("who-is-calling")["remote"]
    assert remote and remote != front.address


def test_a_caller_cannot_claim_another_address(front: FrontUnderTest) -> None:
    with socket.create_connection(("127.0.0.1", front.port(80)), timeout=20) as connection:
        connection.sendall(
            b"PROXY TCP4 203.0.113.7 203.0.113.8 1 80\r\nGET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        assert b" 400 " in connection.recv(200)
    headers = {"X-Forwarded-For": "203.0.113.7", "X-Real-IP": "203.0.113.7", "X-Request-Id": "somebody-else"}
    assert get(front.port(80), "/api/alpha/ready", headers) == 200
    assert front.gateway.logged("somebody-else")["remote"] != "203.0.113.7"


def test_the_front_finds_the_gateway_again_after_its_restart(front: FrontUnderTest) -> None:
    front.gateway.restart()
    wait_until(lambda: get(front.port(80), "/api/alpha/ready") == 200, "the gateway is found again")


def test_an_address_cannot_use_all_connections(gateway_image: str, tmp_path: Path) -> None:
    configuration, count = re.subn(r"limit_conn addresses \d+;", "limit_conn addresses 5;", front_configuration())
    assert count == 1
    few = tmp_path / "front.conf"
    few.write_text(configuration)
    few.chmod(0o444)
    options = (f"--volume={few}:/etc/dyber/front.conf:ro",)
    running = FrontUnderTest(build_front(), GatewayUnderTest(gateway_image), options=options)
    try:
        running.start()
        running.configure()
        connections = [socket.create_connection(("127.0.0.1", running.port(80)), timeout=20) for _ in range(8)]
        # The accepted connections get no data, as they have sent no request yet.
        wait_until(lambda: len(select.select(connections, [], [], 0)[0]) == 3, "those beyond the limit are closed", 5)
        script = (
            f"exec 3<>/dev/tcp/{running.address}/80; "
            "printf 'GET /health HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3; head -n 1 <&3"
        )
        assert "200 OK" in docker("exec", running.gateway.name, "bash", "-c", script)
        for connection in connections:
            connection.close()
    finally:
        running.stop()


def test_an_address_may_have_as_many_connections_as_the_promised_streams() -> None:
    (limit,) = re.findall(r"limit_conn addresses (\d+);", front_configuration())
    (connections,) = re.findall(r"worker_connections (\d+);", front_configuration())
    # Each connection needs two, and listening needs some too.
    assert 5000 < int(limit) < (int(connections) - 1010) / 2 - 500


def front_configuration() -> str:
    return (FRONT_FOLDER / "nginx.conf").read_text()
