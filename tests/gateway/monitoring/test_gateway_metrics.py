"""Tests /metrics: the counters of the gateway, for clients that may call every service."""

from __future__ import annotations

from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from infra.rendering.gateway.model import GatewayClient, GatewayService
from infra.version import VERSION
from tests.gateway.support.calls import wait_until_reached
from tests.gateway.support.docker_cli import docker, wait_until
from tests.gateway.support.gateway_under_test import (
    ABSENT,
    ALPHA,
    CLIENT,
    HUNG,
    OTHER_TOKEN,
    SETTINGS,
    TOKEN,
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
        "dyber_gateway_tool_calls",
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
        "container_memory_used_bytes",
        "container_memory_limit_bytes",
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


def duration(gateway: GatewayUnderTest, part: str, *labels: str) -> float:
    """Return a value of the histogram of request times: `part` is bucket, sum or count; a bucket's last label is `le`."""
    return samples(gateway).get(f"dyber_gateway_request_seconds_{part}", {}).get(labels, 0)


def test_request_times_are_counted_in_buckets_by_service_and_outcome(own_gateway: GatewayUnderTest) -> None:
    own_gateway.backend("alpha")
    own_gateway.configure(services=(ALPHA,))
    wait_until_reached(own_gateway, 1)

    def between(low: str, high: str) -> float:
        below, up_to = (duration(own_gateway, "bucket", "alpha", "ok", bound) for bound in (low, high))
        return up_to - below

    before = between("1", "30")
    total = duration(own_gateway, "sum", "alpha", "ok")
    own_gateway.request("/api/alpha/slow?milliseconds=1500")
    wait_until(lambda: between("1", "30") == before + 1, "the request is counted in its buckets")
    assert between("30", "+Inf") == 0
    assert 1.4 <= duration(own_gateway, "sum", "alpha", "ok") - total < 30


def test_the_histogram_is_one_that_prometheus_can_read(gateway: GatewayUnderTest) -> None:
    for path in ("/ready", "/missing"):
        gateway.request(f"/api/alpha{path}")
    series: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    wait_until(lambda: duration(gateway, "count", "alpha", "refused") >= 1, "the refused request is counted")
    for labels, value in samples(gateway)["dyber_gateway_request_seconds_bucket"].items():
        series.setdefault(labels[:-1], []).append((float(labels[-1]), value))
    counts = samples(gateway)["dyber_gateway_request_seconds_count"]
    assert {("alpha", "ok"), ("alpha", "refused")} <= series.keys() <= counts.keys()
    for labels, buckets in series.items():
        bounds, numbers = zip(*buckets, strict=True)
        assert list(bounds) == sorted(set(bounds)), labels
        assert (bounds[0], bounds[-2], bounds[-1]) == (0.001, 300, float("inf"))
        assert list(numbers) == sorted(numbers), labels


def test_requests_are_told_apart_by_how_they_ended(own_gateway: GatewayUnderTest) -> None:
    own_gateway.backend("alpha")
    own_gateway.configure(services=(ALPHA, replace(ABSENT, name="lacking")))
    wait_until_reached(own_gateway, 1)
    outcomes = [("alpha", "ok"), ("alpha", "refused"), ("lacking", "failed"), ("gateway", "refused")]
    before = {labels: duration(own_gateway, "count", *labels) for labels in outcomes}
    for path in ("/api/alpha/ready", "/api/alpha/missing", "/api/lacking/x", "/nothing"):
        own_gateway.request(path)
    wait_until(
        lambda: all(duration(own_gateway, "count", *labels) > before[labels] for labels in outcomes),
        "each request is counted under its outcome",
    )
    assert ("lacking", "ok") not in samples(own_gateway)["dyber_gateway_request_seconds_count"]


def test_the_number_of_request_times_is_that_of_all_requests(own_gateway: GatewayUnderTest) -> None:
    own_gateway.configure(services=(replace(ABSENT, name="counted"),))

    def number(name: str) -> float:
        return sum(value for labels, value in samples(own_gateway).get(name, {}).items() if labels[0] == "counted")

    for token in (None, OTHER_TOKEN, TOKEN):
        own_gateway.request("/api/counted/x", token=token)
    wait_until(lambda: number("dyber_gateway_requests_total") == 3, "three requests are counted")
    assert number("dyber_gateway_request_seconds_count") == 3


def test_an_event_stream_that_stays_open_is_no_slow_request(own_gateway: GatewayUnderTest) -> None:
    own_gateway.backend("alpha")
    own_gateway.configure(services=(ALPHA,))
    wait_until_reached(own_gateway, 1)
    own_gateway.request("/api/alpha/mcp/sse")
    wait_until(lambda: duration(own_gateway, "count", "alpha", "stream") >= 1, "the stream is counted when it ends")


def call_tool(gateway: GatewayUnderTest, path: str, tool: str, **headers: str) -> None:
    modern = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": tool}
    gateway.request(path, method="POST", body=b"{}", headers={**modern, **headers})


def tool_calls(gateway: GatewayUnderTest) -> Samples:
    """Return the calls of tools by service, tool, client and outcome, also those of other tests of this gateway."""
    return samples(gateway).get("dyber_gateway_tool_calls_total", {})


def test_calls_of_tools_are_counted_by_tool_client_and_outcome(own_gateway: GatewayUnderTest) -> None:
    own_gateway.backend("alpha")
    alpha = replace(ALPHA, read_tools=("alpha_find",), write_tools=("alpha_post",))
    own_gateway.configure(services=(alpha, replace(ABSENT, name="lacking", read_tools=("lacking_find",))))
    wait_until_reached(own_gateway, 1)
    calls = [("alpha", "alpha_find", "ok"), ("alpha", "alpha_post", "ok"), ("lacking", "lacking_find", "failed")]
    for service, tool, _ in calls:
        call_tool(own_gateway, f"/api/{service}/mcp", tool)
    expected = {(service, tool, "desktop-pet", outcome): 1 for service, tool, outcome in calls}
    wait_until(
        lambda: {labels: value for labels, value in tool_calls(own_gateway).items() if labels in expected} == expected,
        "each call is counted",
    )


def test_names_that_callers_make_up_create_no_series_of_tools(own_gateway: GatewayUnderTest) -> None:
    own_gateway.backend("alpha")
    own_gateway.configure(services=(replace(ALPHA, read_tools=("alpha_look",)),))
    wait_until_reached(own_gateway, 1)
    before = set(tool_calls(own_gateway))
    for name in ("made_up", "alpha_look\talpha_look", "ALPHA_LOOK", "", "\\n", "alpha_loo"):
        call_tool(own_gateway, "/api/alpha/mcp", name)
    call_tool(own_gateway, "/api/alpha/mcp", "alpha_look", **{"Mcp-Method": "tools/list"})
    call_tool(own_gateway, "/nothing", "alpha_look")
    call_tool(own_gateway, "/api/alpha/mcp", "alpha_look")
    counted = ("alpha", "alpha_look", "desktop-pet", "ok")
    wait_until(lambda: counted in tool_calls(own_gateway), "the last call is counted")
    calls = tool_calls(own_gateway)
    assert calls.keys() - before == {counted}
    assert calls[counted] == 1


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
    limit = values["container_memory_limit_bytes"][("gateway",)]
    assert limit == int(docker("inspect", "--format", "{{.HostConfig.Memory}}", own_gateway.name))
    assert 2**20 < values["container_memory_used_bytes"][("gateway",)] < limit


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
