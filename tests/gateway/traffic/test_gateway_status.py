"""Tests /api/status, which reports the last readiness checks of every service without a request to one."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from infra.rendering.gateway.configuration import render
from tests.gateway.support.calls import wait_until_reached
from tests.gateway.support.docker_cli import docker, wait_until
from tests.gateway.support.gateway_under_test import ABSENT, ALPHA, CLIENT, HUNG, SETTINGS, GatewayUnderTest


def status(gateway: GatewayUnderTest) -> dict:
    return gateway.request("/api/status", token=None).json()


def healthy(gateway: GatewayUnderTest, service: str = "alpha") -> bool:
    return status(gateway)["services"][service] == "healthy"


@pytest.mark.parametrize("port", [80, 443, 8080])
def test_status_describes_each_service_without_a_token(gateway: GatewayUnderTest, port: int) -> None:
    wait_until(lambda: healthy(gateway), "alpha is healthy")
    answer = gateway.request("/api/status", port=port, token=None)
    body = answer.json()
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert body["gateway"] == "running"
    assert isinstance(body["timestamp"], int)
    assert abs(body["timestamp"] - time.time()) < 60
    assert body["services"] == {"alpha": "healthy", "hung": "unhealthy", "absent": "unhealthy"}


def test_status_has_code_and_latency(gateway: GatewayUnderTest) -> None:
    wait_until(lambda: status(gateway)["details"]["hung"]["code"] == 504, "the hung service is found out", 60)
    details = status(gateway)["details"]
    latency = details["alpha"].pop("latency_ms")
    breaker = {name: detail.pop("breaker") for name, detail in details.items()}
    assert details["alpha"] == {
        "state": "up",
        "code": 200,
        "version": "1.2.3",
        "tools": 4,
        "replicas": {"ready": 1, "total": 1},
    }
    assert {name: detail["state"] for name, detail in details.items()} == {
        "alpha": "up",
        "hung": "down",
        "absent": "down",
    }
    assert {name: detail["code"] for name, detail in details.items()} == {"alpha": 200, "hung": 504, "absent": 502}
    assert 0 <= latency < 900
    # A probe takes less than a second, so that rounds do not overlap.
    assert 700 <= details["hung"]["latency_ms"] < 1000
    assert set(breaker.values()) <= {"closed", "open", "half-open"}


def test_status_contains_no_addresses(gateway: GatewayUnderTest) -> None:
    answer = gateway.request("/api/status", token=None)
    address = docker(
        "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", gateway.others[0]
    )
    assert set(answer.json()) == {"gateway", "timestamp", "services", "details"}
    assert address not in answer.body.decode()
    assert "-mcp" not in answer.body.decode()


def test_calls_of_status_cause_no_load_on_a_service(own_gateway: GatewayUnderTest) -> None:
    backend = own_gateway.backend("alpha")
    own_gateway.configure(services=(ALPHA,))
    wait_until(lambda: healthy(own_gateway), "alpha is healthy")
    before, begun = docker("logs", backend).count("GET /ready"), time.monotonic()
    with ThreadPoolExecutor(20) as callers:
        list(callers.map(lambda _: status(own_gateway), range(400)))
    seconds = time.monotonic() - begun
    assert docker("logs", backend).count("GET /ready") - before <= seconds + 2


def test_a_hung_service_does_not_hold_up_the_answer(gateway: GatewayUnderTest) -> None:
    begun = time.monotonic()
    for _ in range(20):
        status(gateway)
    # A single probe of the hung service takes most of a second.
    assert time.monotonic() - begun < 10


def test_a_stopped_service_becomes_unhealthy_and_the_others_stay(own_gateway: GatewayUnderTest) -> None:
    backend = own_gateway.backend("alpha")
    own_gateway.configure(services=(ALPHA, ABSENT))
    wait_until(lambda: healthy(own_gateway), "alpha is healthy")
    own_gateway.remove_backend(backend)
    wait_until(lambda: not healthy(own_gateway), "alpha is unhealthy")
    own_gateway.backend("alpha")
    wait_until(lambda: healthy(own_gateway), "alpha is healthy again")


def test_a_service_that_lacks_a_replica_is_degraded_and_healthy(own_gateway: GatewayUnderTest) -> None:
    own_gateway.backend("alpha", 1)
    own_gateway.configure(services=(replace(ALPHA, replicas=2),))
    wait_until(lambda: healthy(own_gateway), "alpha is healthy")
    detail = status(own_gateway)["details"]["alpha"]
    assert (detail["state"], detail["code"], detail["replicas"]) == ("degraded", 200, {"ready": 1, "total": 2})
    own_gateway.backend("alpha", 2)
    wait_until(lambda: status(own_gateway)["details"]["alpha"]["state"] == "up", "both replicas are ready")


def test_a_service_that_is_running_and_not_ready_is_down(own_gateway: GatewayUnderTest) -> None:
    backend = own_gateway.backend("alpha")
    own_gateway.configure(services=(ALPHA,))
    wait_until(lambda: healthy(own_gateway), "alpha is healthy")
    docker("exec", backend, "touch", "/tmp/not-ready")
    wait_until(lambda: not healthy(own_gateway), "alpha is unhealthy")
    detail = status(own_gateway)["details"]["alpha"]
    assert (detail["state"], detail["code"], detail["version"]) == ("down", 503, None)


def test_status_follows_a_new_configuration(own_gateway: GatewayUnderTest) -> None:
    own_gateway.backend("alpha")
    own_gateway.configure(services=(ALPHA, ABSENT))
    wait_until(lambda: healthy(own_gateway), "alpha is healthy")
    own_gateway.configure(services=(ALPHA, HUNG))
    body = status(own_gateway)
    # The findings of alpha are kept, and a service that was not probed yet is unknown.
    assert body["services"]["alpha"] == "healthy"
    assert set(body["services"]) == {"alpha", "hung"}
    assert body["details"]["hung"]["code"] in (None, 502)


def test_findings_that_are_too_old_are_not_shown(own_gateway: GatewayUnderTest) -> None:
    own_gateway.backend("alpha")
    own_gateway.configure(services=(ALPHA,))
    wait_until(lambda: healthy(own_gateway), "alpha is healthy")
    files = render(SETTINGS, [ALPHA], [CLIENT])
    files["internal.conf"] = files["internal.conf"].replace("interval=1s", "interval=1h")
    assert own_gateway.load(files).exit_code == 0
    wait_until(lambda: not healthy(own_gateway), "nothing is known of alpha", seconds=30)
    detail = status(own_gateway)["details"]["alpha"]
    assert (detail["state"], detail["code"], detail["version"]) == ("unknown", None, None)


def test_the_prober_cannot_be_reached_from_outside(gateway: GatewayUnderTest) -> None:
    probe = docker(
        "exec", gateway.others[0], "bash", "-c", f"exec 3<>/dev/tcp/{gateway.name}/10080 || echo refused; true"
    )
    assert probe == "refused"


def test_a_gateway_without_services_still_answers(own_gateway: GatewayUnderTest) -> None:
    own_gateway.configure(services=(), clients=())
    assert status(own_gateway)["services"] == {}
    assert own_gateway.request("/").json()["services"] == []
    assert own_gateway.request("/api/alpha/x").json()["code"] == "unknown_service"


def test_a_hung_service_gets_504_json_after_its_limit(own_gateway: GatewayUnderTest) -> None:
    own_gateway.backend("hung")
    files = render(SETTINGS, [HUNG], [CLIENT])
    shortest = f"proxy_read_timeout {HUNG.read_timeout_seconds}s;"
    assert shortest in files["servers.conf"]
    # In a deployment the limit is at least a minute; the test uses a shorter one.
    files["servers.conf"] = files["servers.conf"].replace(shortest, "proxy_read_timeout 1s;")
    assert own_gateway.load(files).exit_code == 0
    wait_until(lambda: own_gateway.request("/api/hung/x").status == 504, "hung is reached")
    answer = own_gateway.request("/api/hung/x")
    assert (answer.status, answer.json()["code"], answer.json()["service"]) == (504, "service_timeout", "hung")


def test_many_replicas_are_probed_in_one_round(own_gateway: GatewayUnderTest) -> None:
    services = tuple(replace(ABSENT, name=f"absent-{number}", port=9100 + number, replicas=16) for number in range(8))
    own_gateway.backend("alpha")
    own_gateway.configure(services=(ALPHA, *services))
    wait_until(lambda: healthy(own_gateway), "alpha is healthy")
    wait_until_reached(own_gateway, 1)
    details = status(own_gateway)["details"]
    assert {details[service.name]["replicas"]["total"] for service in services} == {16}
    assert details["alpha"]["state"] == "up"
