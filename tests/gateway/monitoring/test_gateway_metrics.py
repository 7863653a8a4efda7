"""Tests /metrics: the counters of the gateway, for clients that may call every service."""

from __future__ import annotations

from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from infra.rendering.gateway.model import GatewayClient, GatewayService
from infra.version import VERSION
from tests.gateway.support.calls import wait_until_reached
from tests.gateway.support.docker_cli import wait_until
from tests.gateway.support.gateway_under_test import (
    ABSENT,
    ALPHA,
    CLIENT,
    HUNG,
    OTHER_TOKEN,
    SETTINGS,
    GatewayUnderTest,
    changed,
)

Samples = dict[tuple[str, ...], float]


def samples(gateway: GatewayUnderTest) -> dict[str, Samples]:
    """Return the values by name and label values, as the parser of Prometheus reads them."""
    answer = gateway.request("/metrics")
    assert answer.status == 200, answer.body
    values: dict[str, Samples] = {}
    for family in text_string_to_metric_families(answer.body.decode()):
        for sample in family.samples:
            values.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return values


def requests(gateway: GatewayUnderTest, *labels: str) -> float:
    """Return the number of requests with these labels: service, client, status."""
    return samples(gateway).get("dyber_gateway_requests_total", {}).get(labels, 0)


def test_the_format_is_the_text_format(gateway: GatewayUnderTest) -> None:
    answer = gateway.request("/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = list(text_string_to_metric_families(answer.body.decode()))
    assert {family.name for family in families} == {
        "dyber_gateway_requests",
        "dyber_gateway_request_seconds",
        "dyber_gateway_service_up",
        "dyber_gateway_replicas_ready",
        "dyber_gateway_replicas",
        "dyber_gateway_breaker_state",
        "dyber_gateway_breaker_opened",
        "dyber_gateway_probe_seconds",
        "dyber_gateway_connections",
        "dyber_gateway_max_call_seconds",
        "dyber_gateway_certificate_end_seconds",
        "dyber_gateway_build_info",
    }
    assert all(family.documentation for family in families)


@pytest.mark.parametrize("port", [80, 443, 8080])
def test_metrics_need_a_token(gateway: GatewayUnderTest, port: int) -> None:
    answer = gateway.request("/metrics", port=port, token=None)
    assert (answer.status, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


def test_a_client_with_scopes_may_not_read_metrics(own_gateway: GatewayUnderTest) -> None:
    scoped = GatewayClient("scoped", CLIENT.token_sha256, {"alpha": "all"})
    own_gateway.configure(services=(ALPHA,), clients=(scoped,))
    answer = own_gateway.request("/metrics")
    assert (answer.status, answer.json()["code"]) == (403, "forbidden")
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


def test_calls_are_counted_by_service_client_and_status(gateway: GatewayUnderTest) -> None:
    wait_until(lambda: gateway.request("/api/alpha/ready").status == 200, "alpha is reached")
    good, bad = ("alpha", "desktop-pet", "404"), ("alpha", "", "401")
    before_good, before_bad = requests(gateway, *good), requests(gateway, *bad)
    for _ in range(3):
        gateway.request("/api/alpha/missing")
    gateway.request("/api/alpha/missing", token=OTHER_TOKEN)
    wait_until(lambda: requests(gateway, *good) == before_good + 3, "three calls are counted")
    wait_until(lambda: requests(gateway, *bad) == before_bad + 1, "the refused call is counted")


def test_request_times_are_summed_by_service(own_gateway: GatewayUnderTest) -> None:
    own_gateway.backend("alpha")
    own_gateway.configure(services=(ALPHA,))
    wait_until_reached(own_gateway, 1)
    before = samples(own_gateway)
    own_gateway.request("/api/alpha/slow?milliseconds=1500")

    def difference(name: str) -> float:
        return samples(own_gateway)[name][("alpha",)] - before[name][("alpha",)]

    wait_until(lambda: difference("dyber_gateway_request_seconds_sum") >= 1.4, "the time is counted")
    assert difference("dyber_gateway_request_seconds_count") >= 1


def test_metrics_show_the_state_of_services(own_gateway: GatewayUnderTest) -> None:
    own_gateway.backend("alpha")
    services = (replace(ALPHA, replicas=2), HUNG, replace(ABSENT, name="lacking"))
    own_gateway.configure(changed(SETTINGS, breaker={"failures": 2, "seconds": 600}), services=services)
    wait_until(
        lambda: len(samples(own_gateway).get("dyber_gateway_probe_seconds", {})) == 4, "every replica was probed"
    )
    for _ in range(2):
        own_gateway.request("/api/lacking/x")
    wait_until(lambda: samples(own_gateway)["dyber_gateway_breaker_state"][("lacking",)] == 2, "the breaker is open")
    values = samples(own_gateway)
    assert values["dyber_gateway_service_up"] == {("alpha",): 1, ("hung",): 0, ("lacking",): 0}
    assert values["dyber_gateway_replicas"] == {("alpha",): 2, ("hung",): 1, ("lacking",): 1}
    assert values["dyber_gateway_replicas_ready"][("alpha",)] == 1
    assert values["dyber_gateway_breaker_opened_total"][("lacking",)] == 1
    assert set(values["dyber_gateway_probe_seconds"]) == {
        ("alpha", "1"),
        ("alpha", "2"),
        ("hung", "1"),
        ("lacking", "1"),
    }
    assert values["dyber_gateway_connections"][("active",)] >= 1
    assert next(iter(values["dyber_gateway_build_info"]))[0] == VERSION


def test_counters_survive_a_new_configuration_except_those_of_removed_services(own_gateway: GatewayUnderTest) -> None:
    own_gateway.backend("alpha")
    own_gateway.configure(services=(ALPHA, GatewayService("leaving", 9003, "走", 5)))
    wait_until_reached(own_gateway, 1)
    own_gateway.request("/api/leaving/x")
    wait_until(lambda: requests(own_gateway, "leaving", "desktop-pet", "502") >= 1, "the call is counted")
    before = requests(own_gateway, "alpha", "desktop-pet", "200")
    own_gateway.configure(services=(ALPHA,))
    assert requests(own_gateway, "alpha", "desktop-pet", "200") >= before > 0
    assert "leaving" not in own_gateway.request("/metrics").body.decode()


def test_callers_without_a_token_cannot_create_series(gateway: GatewayUnderTest) -> None:
    gateway.request("/metrics")
    before = len(samples(gateway)["dyber_gateway_requests_total"])
    for number in range(30):
        gateway.request(f"/api/made-up-{number}/x", headers={"X-Dyber-Client": f"made-up-{number}"})
    assert len(samples(gateway)["dyber_gateway_requests_total"]) <= before + 1
    assert "made-up" not in gateway.request("/metrics").body.decode()
