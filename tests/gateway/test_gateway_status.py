"""/api/status asks every service, in parallel, and is not held up by one that hangs."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from gateway.docker_cli import docker, wait_until
from gateway.gateway_under_test import ABSENT, ALPHA, CLIENT, HUNG, SETTINGS, GatewayUnderTest
from stack.gateway_config import render


@pytest.mark.parametrize("port", [80, 443, 8080])
def test_status_tells_of_each_service_without_a_token(gateway: GatewayUnderTest, port: int) -> None:
    answer = gateway.request("/api/status", port=port, token=None)
    body = answer.json()
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert body["gateway"] == "running"
    assert isinstance(body["timestamp"], int)
    assert abs(body["timestamp"] - time.time()) < 60
    assert body["services"] == {"alpha": "healthy", "hung": "unhealthy", "absent": "unhealthy"}


def test_status_says_why_and_how_fast(gateway: GatewayUnderTest) -> None:
    details = gateway.request("/api/status").json()["details"]
    assert {name: detail["code"] for name, detail in details.items()} == {"alpha": 200, "hung": 504, "absent": 502}
    # The limit of a probe is one second; the hung service was given no more than that.
    assert 900 <= details["hung"]["latency_ms"] < 2000
    assert details["alpha"]["latency_ms"] < 900


def test_status_tells_strangers_no_addresses(gateway: GatewayUnderTest) -> None:
    body = gateway.request("/api/status", token=None).json()
    assert set(body) == {"gateway", "timestamp", "services", "details"}
    assert all(set(detail) == {"code", "latency_ms"} for detail in body["details"].values())


def test_many_callers_cause_one_round_of_probes(own_gateway: GatewayUnderTest) -> None:
    backend = own_gateway.backend("alpha")
    own_gateway.backend("hung")
    own_gateway.configure()
    wait_until(lambda: own_gateway.request("/api/alpha/ready").status == 200, "alpha is reached")
    before = docker("logs", backend).count("GET /ready")
    with ThreadPoolExecutor(20) as callers:
        answers = list(callers.map(lambda _: own_gateway.request("/api/status").json(), range(20)))
    assert len({answer["timestamp"] for answer in answers}) == 1
    assert docker("logs", backend).count("GET /ready") == before + 1


def test_a_stopped_service_becomes_unhealthy_and_the_others_stay(own_gateway: GatewayUnderTest) -> None:
    backend = own_gateway.backend("alpha")
    own_gateway.configure(services=(ALPHA, ABSENT))

    def state() -> str:
        return own_gateway.request("/api/status").json()["services"]["alpha"]

    wait_until(lambda: state() == "healthy", "alpha is healthy")
    own_gateway.remove_backend(backend)
    wait_until(lambda: state() == "unhealthy", "alpha is unhealthy")
    own_gateway.backend("alpha")
    wait_until(lambda: state() == "healthy", "alpha is healthy again")


def test_a_gateway_without_services_still_answers(own_gateway: GatewayUnderTest) -> None:
    own_gateway.configure(services=(), clients=())
    assert own_gateway.request("/api/status").json()["services"] == {}
    assert own_gateway.request("/").json()["services"] == []
    assert own_gateway.request("/api/alpha/x").json()["code"] == "unknown_service"


def test_a_hung_service_gets_504_json_after_its_limit(own_gateway: GatewayUnderTest) -> None:
    own_gateway.backend("hung")
    files = render(SETTINGS, [HUNG], [CLIENT])
    shortest = f"proxy_read_timeout {HUNG.read_timeout_seconds}s;"
    assert shortest in files["servers.conf"]
    # The real limit is a minute at least; the test does not wait that long.
    files["servers.conf"] = files["servers.conf"].replace(shortest, "proxy_read_timeout 1s;")
    assert own_gateway.load(files).exit_code == 0
    wait_until(lambda: own_gateway.request("/api/hung/x").status != 502, "hung is reached")
    answer = own_gateway.request("/api/hung/x")
    assert (answer.status, answer.json()["code"], answer.json()["service"]) == (504, "service_timeout", "hung")
