"""Tests that server-sent events are passed on at once and that streams survive a new configuration."""

from __future__ import annotations

import http.client

import pytest

from infra.settings.gateway import GatewaySettings
from tests.gateway.support.docker_cli import docker, wait_until
from tests.gateway.support.gateway_under_test import ABSENT, ALPHA, SETTINGS, TOKEN, GatewayUnderTest


def open_stream(gateway: GatewayUnderTest, path: str, port: int = 80) -> http.client.HTTPResponse:
    connection = gateway.connect(port)
    # Compression would delay events, so the gateway must not compress even for callers that accept it.
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept-Encoding": "gzip", "Accept": "text/event-stream"}
    connection.request("GET", path, headers=headers)
    return connection.getresponse()


def next_event(stream: http.client.HTTPResponse) -> str:
    line = stream.readline().decode().strip()
    stream.readline()
    return line


@pytest.mark.parametrize(("port", "path"), [(80, "/api/alpha/events"), (443, "/api/alpha/events"), (9000, "/events")])
def test_the_first_event_arrives_while_the_stream_is_still_open(
    gateway: GatewayUnderTest, port: int, path: str
) -> None:
    # If events were buffered, the first would arrive with the second, long after the client's timeout.
    stream = open_stream(gateway, f"{path}?count=2&every=60000", port)
    assert stream.headers["Content-Encoding"] is None
    assert next_event(stream) == "data: 0"
    stream.close()


@pytest.mark.parametrize(("port", "path"), [(80, "/api/alpha/events"), (443, "/api/alpha/events"), (9000, "/events")])
def test_a_stream_asks_proxies_in_front_of_the_gateway_not_to_buffer_it(
    gateway: GatewayUnderTest, port: int, path: str
) -> None:
    stream = open_stream(gateway, f"{path}?count=1&every=1", port)
    assert stream.headers.get_all("X-Accel-Buffering") == ["no"]
    assert stream.headers.get_all("Cache-Control") == ["no-cache, no-transform"]
    assert stream.headers.get_all("Content-Type") == ["text/event-stream; charset=utf-8"]
    assert gateway.request("/api/alpha/x").headers["X-Accel-Buffering"] is None


def test_a_stream_survives_a_new_configuration(own_gateway: GatewayUnderTest) -> None:
    own_gateway.backend("alpha")
    own_gateway.configure(services=(ALPHA,))
    wait_until(lambda: own_gateway.request("/api/alpha/ready").status == 200, "alpha is reached")
    stream = open_stream(own_gateway, "/api/alpha/events?count=40&every=100")
    events = [next_event(stream)]

    own_gateway.configure(services=(ALPHA, ABSENT))
    assert "/api/absent" in own_gateway.request("/").json()["services"]

    events += [next_event(stream) for _ in range(39)]
    assert events == [f"data: {number}" for number in range(40)]


def test_a_call_that_runs_at_the_reload_is_answered(own_gateway: GatewayUnderTest) -> None:
    own_gateway.backend("alpha")
    own_gateway.configure(services=(ALPHA,))
    wait_until(lambda: own_gateway.request("/api/alpha/ready").status == 200, "alpha is reached")
    connection = own_gateway.connect(80)
    connection.request("POST", "/api/alpha/slow?milliseconds=3000", headers={"Authorization": f"Bearer {TOKEN}"})
    own_gateway.configure(GatewaySettings(server_names=(*SETTINGS.server_names, "second.example")))
    assert connection.getresponse().status == 200


def test_a_stopping_gateway_finishes_running_calls(fresh_gateway: GatewayUnderTest) -> None:
    fresh_gateway.backend("alpha")
    fresh_gateway.configure(services=(ALPHA,))
    wait_until(lambda: fresh_gateway.request("/api/alpha/ready").status == 200, "alpha is reached")
    stream = open_stream(fresh_gateway, "/api/alpha/events?count=10&every=200")
    assert next_event(stream) == "data: 0"
    docker("stop", "--time", "20", fresh_gateway.name)
    assert [next_event(stream) for _ in range(9)] == [f"data: {number}" for number in range(1, 10)]
    assert docker("inspect", "--format", "{{.State.ExitCode}}", fresh_gateway.name) == "0"
