"""Tests the listener for the hub's calls of services, where what the hub says of its client is believed."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.gateway.support.gateway_under_test import TOKEN, Answer, GatewayUnderTest
from tests.gateway.support.hub_under_test import HUB_TOKEN, MODERN, RELAY_PORT, message, seen_headers

SAID = {"X-Dyber-Client": "reader", "X-Dyber-Scope": "tools:alpha_search;accounts=main"}


def relayed(
    gateway: GatewayUnderTest,
    path: str = "/services/alpha/mcp",
    *,
    token: str | None = HUB_TOKEN,
    port: int = RELAY_PORT,
    headers: Mapping[str, str] = SAID,
) -> Answer:
    modern = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "alpha_search"}
    return gateway.request(
        path, port=port, method="POST", token=token, headers={**modern, **headers}, body=message("alpha_search")
    )


def test_a_service_is_told_what_the_hub_says(gateway: GatewayUnderTest) -> None:
    headers = seen_headers(relayed(gateway, headers={**SAID, "X-Dyber-Tool": "alpha_other"}))
    assert headers["x-dyber-client"] == "reader"
    assert headers["x-dyber-scope"] == "tools:alpha_search;accounts=main"
    assert headers["x-dyber-tool"] == "alpha_other"
    assert headers["x-forwarded-prefix"] == "/api/alpha"
    assert "authorization" not in headers


def test_a_service_gets_the_call_at_its_own_address(gateway: GatewayUnderTest) -> None:
    assert relayed(gateway).json()["uri"] == "/mcp"


@pytest.mark.parametrize("token", [None, TOKEN, "wrong" * 8, HUB_TOKEN.upper()])
def test_only_the_hub_may_call_here(gateway: GatewayUnderTest, token: str | None) -> None:
    assert relayed(gateway, token=token).status == 401
    assert relayed(gateway, "/status", token=token).status == 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Dyber-Client": "reader"},
        {"X-Dyber-Scope": "all"},
        {"X-Dyber-Client": "", "X-Dyber-Scope": "all"},
        {"X-Dyber-Client": "a b", "X-Dyber-Scope": "all"},
        {"X-Dyber-Client": "reader", "X-Dyber-Scope": "all read"},
        {"X-Dyber-Client": "reader", "X-Dyber-Scope": "é"},
    ],
)
def test_a_call_that_does_not_say_for_whom_is_refused(gateway: GatewayUnderTest, headers: dict[str, str]) -> None:
    assert relayed(gateway, headers=headers).status == 401


@pytest.mark.parametrize("path", ["/mcp", "/api/alpha/mcp", "/groups/pet/mcp", "/metrics"])
def test_the_hubs_token_is_good_nowhere_else(gateway: GatewayUnderTest, path: str) -> None:
    for port in (80, 443, 8080):
        assert relayed(gateway, path, port=port).status == 401
    assert relayed(gateway, "/mcp", port=9000).status == 401


@pytest.mark.parametrize("path", ["/", "/mcp", "/services/alpha", "/services/none/mcp", "/api/alpha/mcp", "/metrics"])
def test_nothing_else_is_here(gateway: GatewayUnderTest, path: str) -> None:
    assert relayed(gateway, path).status == 404


def test_the_hub_reads_the_state_of_services_here(gateway: GatewayUnderTest) -> None:
    for _ in range(60):
        answer = gateway.request("/status", port=RELAY_PORT, token=HUB_TOKEN)
        assert answer.status == 200
        assert set(answer.json()["details"]) == {"alpha", "hung", "absent"}


def test_a_service_that_is_down_is_told_as_a_status(gateway: GatewayUnderTest) -> None:
    answer = relayed(gateway, "/services/absent/mcp")
    assert (answer.status, answer.json()["code"]) == (502, "service_down")
