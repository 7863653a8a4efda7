"""Tests that replacing containers behind the gateway loses no call and repeats none."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from infra.rendering.gateway.configuration import render
from tests.gateway.support.calls import arrived, calling, lost, wait_until_reached
from tests.gateway.support.docker_cli import docker
from tests.gateway.support.gateway_under_test import ALPHA, CLIENT, SETTINGS, GatewayUnderTest

REPLACEMENTS = 3
BUSY = replace(ALPHA, requests_per_second=100_000)


def test_replacing_a_container_loses_no_call_and_doubles_none(own_gateway: GatewayUnderTest) -> None:
    old = own_gateway.backend("alpha")
    own_gateway.configure(services=(BUSY,))
    wait_until_reached(own_gateway, 1)
    came = Counter()
    with calling(own_gateway) as calls:
        for _ in range(REPLACEMENTS):
            new = own_gateway.backend("alpha")
            wait_until_reached(own_gateway, 2)
            docker("stop", "--time", "10", old)
            came += arrived(old)
            own_gateway.remove_backend(old)
            old = new
            wait_until_reached(own_gateway, 1)
        breaker = own_gateway.request("/api/status").json()["details"]["alpha"]["breaker"]
    docker("stop", "--time", "10", old)  # Its log then contains its last calls.
    came += arrived(old)

    assert lost(calls) == []
    assert came == Counter(call.name for call in calls)
    assert breaker == "closed"


def test_a_call_that_took_too_long_is_not_sent_again(own_gateway: GatewayUnderTest) -> None:
    backends = [own_gateway.backend("alpha") for _ in range(2)]
    files = render(SETTINGS, [ALPHA], [CLIENT])
    limit = f"proxy_read_timeout {ALPHA.read_timeout_seconds}s;"
    files["servers.conf"] = files["servers.conf"].replace(limit, "proxy_read_timeout 1s;")
    assert own_gateway.load(files).exit_code == 0
    wait_until_reached(own_gateway, 2)
    answer = own_gateway.request("/api/alpha/slow?milliseconds=2500&the-call", method="POST", body=b"{}")
    assert answer.status == 504
    for name in backends:
        docker("stop", "--time", "10", name)
    assert sum(docker("logs", name).count("the-call") for name in backends) == 1


def test_a_service_that_starts_after_the_gateway_is_found(own_gateway: GatewayUnderTest) -> None:
    own_gateway.configure(services=(ALPHA,))
    assert own_gateway.request("/api/alpha/ready").status == 502
    own_gateway.backend("alpha")
    wait_until_reached(own_gateway, 1)


def test_after_a_container_is_killed_the_other_one_takes_the_calls(own_gateway: GatewayUnderTest) -> None:
    first = own_gateway.backend("alpha")
    own_gateway.backend("alpha")
    own_gateway.configure(services=(ALPHA,))
    wait_until_reached(own_gateway, 2)
    docker("kill", first)
    assert {own_gateway.request("/api/alpha/ready").status for _ in range(30)} == {200}
