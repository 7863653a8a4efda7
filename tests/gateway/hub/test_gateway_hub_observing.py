"""Tests what the log, the metrics and the status say of calls at the hub's addresses."""

from __future__ import annotations

from dataclasses import replace

import pytest
from dyber_hub.forwarding.gateway import HUB_CLIENT
from prometheus_client.parser import text_string_to_metric_families

from tests.gateway.support.calls import calling, lost
from tests.gateway.support.docker_cli import docker, wait_until
from tests.gateway.support.gateway_under_test import SETTINGS, GatewayUnderTest
from tests.gateway.support.hub_under_test import (
    ALPHA,
    CALLS,
    CLIENTS,
    HUB,
    HUB_TOKEN,
    MODERN,
    RELAY_PORT,
    message,
    modern,
    old,
    reached,
)

SHOWN = ("client", "service", "tool", "via", "error")


def logged(gateway: GatewayUnderTest, request_id: str) -> tuple[str, ...]:
    entry = gateway.logged(request_id)
    return tuple(entry[key] for key in SHOWN)


@pytest.mark.parametrize(
    ("path", "name", "expected"),
    [
        ("/mcp", "alpha_search", ("desktop-pet", "alpha", "alpha_search", "hub", "")),
        ("/groups/pet/mcp", "find", ("desktop-pet", "alpha", "alpha_search", "group:pet", "")),
        ("/mcp", "no_tool", ("desktop-pet", "hub", "", "hub", "")),
        ("/groups/pet/mcp", "alpha_search", ("desktop-pet", "hub", "", "group:pet", "")),
        ("/search/mcp", "alpha_search", ("desktop-pet", "hub", "", "hub", "")),
        ("/mcp", "absent_read", ("desktop-pet", "absent", "absent_read", "hub", "service_down")),
    ],
)
@pytest.mark.parametrize("era", CALLS)
def test_39_the_log_has_the_service_and_the_tools_real_name(
    gateway: GatewayUnderTest, era: str, path: str, name: str, expected: tuple[str, ...]
) -> None:
    request_id = f"hub-log-{era}-{path.replace('/', '.')}-{name}"
    assert CALLS[era](gateway, name, path, X_Request_Id=request_id).status == 200
    assert logged(gateway, request_id) == expected


def test_the_log_tells_calls_at_a_services_own_address_from_others(gateway: GatewayUnderTest) -> None:
    modern(gateway, "alpha_search", "/api/alpha/mcp", X_Request_Id="hub-log-direct")
    assert logged(gateway, "hub-log-direct") == ("desktop-pet", "alpha", "alpha_search", "direct", "")
    gateway.request("/api/status", headers={"X-Request-Id": "hub-log-status"})
    assert logged(gateway, "hub-log-status")[1:4] == ("", "", "")


def relayed(gateway: GatewayUnderTest, client: str, request_id: str) -> None:
    headers = {
        "MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "inner", "X-Dyber-Client": client,
        "X-Dyber-Scope": "all", "X-Dyber-Tool": "alpha_search", "X-Request-Id": request_id,
    }  # fmt: skip
    answer = gateway.request(
        "/services/alpha/mcp", port=RELAY_PORT, method="POST", token=HUB_TOKEN, headers=headers, body=message("inner")
    )
    assert answer.status == 200


def values(gateway: GatewayUnderTest, name: str) -> dict[tuple[str, ...], float]:
    """Return the samples of a metric by the values of their labels."""
    families = text_string_to_metric_families(gateway.request("/metrics").body.decode())
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return {tuple(sample.labels.values()): sample.value for sample in samples}


def counted(gateway: GatewayUnderTest, *labels: str) -> float:
    return values(gateway, "dyber_gateway_requests_total").get(labels, 0)


def test_a_call_that_the_hub_passes_on_counts_for_its_client(gateway: GatewayUnderTest) -> None:
    before = counted(gateway, "alpha", "reader", "200")
    relayed(gateway, "reader", "hub-log-relayed")
    assert logged(gateway, "hub-log-relayed") == ("reader", "alpha", "alpha_search", "hub", "")
    assert counted(gateway, "alpha", "reader", "200") == before + 1


def test_the_hubs_own_requests_are_neither_logged_nor_counted(gateway: GatewayUnderTest) -> None:
    relayed(gateway, HUB_CLIENT, "hub-log-refresh")
    relayed(gateway, "reader", "hub-log-after-refresh")
    assert logged(gateway, "hub-log-after-refresh")[0] == "reader"
    assert "hub-log-refresh" not in {entry["request_id"] for entry in gateway.logs()[0]}
    assert not [labels for labels in values(gateway, "dyber_gateway_requests_total") if labels[1] == HUB_CLIENT]


def test_the_calls_of_a_client_called_hub_are_logged_and_counted(gateway: GatewayUnderTest) -> None:
    before = counted(gateway, "alpha", "hub", "200")
    relayed(gateway, "hub", "hub-log-namesake")
    assert logged(gateway, "hub-log-namesake") == ("hub", "alpha", "alpha_search", "hub", "")
    assert counted(gateway, "alpha", "hub", "200") == before + 1


@pytest.mark.parametrize("era", CALLS)
def test_a_failure_inside_a_result_does_not_count_as_success(gateway: GatewayUnderTest, era: str) -> None:
    before = counted(gateway, "absent", "publisher", "502")
    assert CALLS[era](gateway, "absent_read", client="publisher").status == 200
    wait_until(lambda: counted(gateway, "absent", "publisher", "502") == before + 1, "the failure is counted")
    assert counted(gateway, "absent", "publisher", "200") == 0


def test_the_status_has_the_hub_beside_the_services(gateway: GatewayUnderTest) -> None:
    wait_until(lambda: gateway.request("/api/status").json()["hub"]["state"] == "up", "the hub is ready")
    body = gateway.request("/api/status").json()
    assert set(body["services"]) == set(body["details"]) == {"alpha", "hung", "absent"}
    assert body["hub"]["replicas"] == {"ready": 1, "total": 1}
    assert values(gateway, "dyber_gateway_service_up")[("hub",)] == 1


def test_replicas_of_the_hub_are_counted(own_gateway: GatewayUnderTest) -> None:
    for replica in (1, 2):
        own_gateway.backend("hub", replica)
    own_gateway.configure(services=(ALPHA,), clients=CLIENTS, hub=replace(HUB, replicas=2))
    replicas = {"ready": 2, "total": 2}
    wait_until(lambda: own_gateway.request("/api/status").json()["hub"]["replicas"] == replicas, "both are ready")
    containers = {modern(own_gateway, None, method="tools/list").json()["container"] for _ in range(30)}
    assert len(containers) == 2


def test_without_a_hub_its_addresses_are_not_there(own_gateway: GatewayUnderTest) -> None:
    own_gateway.configure(services=(ALPHA,), clients=CLIENTS)
    for path in ("/mcp", "/groups/pet/mcp", "/search/mcp"):
        assert modern(own_gateway, "alpha_search", path).status == 404
    assert "hub" not in own_gateway.request("/api/status").json()
    assert modern(own_gateway, "alpha_search", client="reader", path="/api/alpha/mcp").status in (200, 502, 504)


def test_51_a_hub_that_is_killed_stops_no_call_and_lists_are_back_when_it_returns(
    own_gateway: GatewayUnderTest,
) -> None:
    own_gateway.backend("alpha")
    hub = own_gateway.backend("hub")
    own_gateway.configure(services=(ALPHA,), clients=CLIENTS, hub=HUB)
    listing = lambda: modern(own_gateway, None, method="tools/list").status  # noqa: E731
    wait_until(lambda: listing() == 200, "the hub is reached")
    named = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "alpha_search"}
    with calling(own_gateway, named, "/mcp", "killed") as calls:
        docker("kill", "--signal", "KILL", hub)
        wait_until(lambda: listing() in (502, 503), "the gateway notices that the hub is away")
        docker("start", hub)
        wait_until(lambda: listing() == 200, "lists are back")
    assert calls
    assert lost(calls) == []


def test_51_calls_of_known_tools_do_not_need_the_hub(own_gateway: GatewayUnderTest) -> None:
    own_gateway.backend("alpha")
    hub = own_gateway.backend("hub")
    own_gateway.configure(services=(ALPHA,), clients=CLIENTS, hub=HUB)
    listing = lambda: modern(own_gateway, None, method="tools/list")  # noqa: E731
    wait_until(lambda: listing().status == 200, "the hub is reached")
    named = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "alpha_search"}
    with calling(own_gateway, named, "/mcp", "known") as calls:
        own_gateway.remove_backend(hub, grace_seconds=0)
        assert [reached(old(own_gateway, "alpha_search")) for _ in range(20)] == ["alpha"] * 20
    assert calls
    assert lost(calls) == []
    refused = listing()
    assert (refused.status, refused.json()["code"]) == (503, "service_down")
    assert int(refused.headers["Retry-After"]) > 0
    # No breaker keeps the hub from being called once it is there again.
    assert {listing().json()["code"] for _ in range(3 * SETTINGS.breaker.failures)} == {"service_down"}
    for call in CALLS.values():
        assert b"isError" in call(own_gateway, "no_tool").body
    own_gateway.backend("hub")
    wait_until(lambda: listing().status == 200, "the hub is reached again", 10)
