"""Tests that the hub's addresses have no sessions, even in front of a service that has."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.gateway.support.calls import wait_until_reached
from tests.gateway.support.docker_cli import wait_until
from tests.gateway.support.gateway_under_test import GatewayUnderTest
from tests.gateway.support.hub_under_test import (
    ALPHA,
    CALLS,
    CLIENTS,
    HUB,
    HUB_TOKEN,
    MODERN,
    PATIENT,
    RELAY_PORT,
    message,
    modern,
    reached,
    seen_headers,
)

STALE = "of-another-address-or-another-time"


@pytest.mark.parametrize("era", CALLS)
@pytest.mark.parametrize(("path", "name"), [("/mcp", "alpha_search"), ("/groups/pet/mcp", "find")])
def test_a_stale_session_is_not_told_to_a_service_that_has_sessions(
    gateway: GatewayUnderTest, path: str, name: str, era: str
) -> None:
    answer = CALLS[era](gateway, name, f"{path}?sessions=1", Mcp_Session_Id=STALE)
    assert reached(answer) == "alpha"
    assert "Mcp-Session-Id" not in answer.headers


def test_below_api_the_same_service_is_told_of_its_session(gateway: GatewayUnderTest) -> None:
    answer = modern(gateway, "alpha_search", "/api/alpha/mcp?sessions=1", Mcp_Session_Id=STALE)
    assert answer.status == 404


@pytest.mark.parametrize("path", ["/mcp", "/groups/pet/mcp", "/search/mcp", "/mcp/messages/"])
def test_a_stale_session_is_not_told_to_the_hub(gateway: GatewayUnderTest, path: str) -> None:
    answer = modern(gateway, None, path, method="tools/list", Mcp_Session_Id=STALE)
    assert (reached(answer), "mcp-session-id" in seen_headers(answer)) == ("hub", False)


def test_a_call_of_the_hub_has_no_session(gateway: GatewayUnderTest) -> None:
    headers = {
        "MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "alpha_search",
        "X-Dyber-Client": "reader", "X-Dyber-Scope": "all", "Mcp-Session-Id": STALE,
    }  # fmt: skip
    answer = gateway.request(
        "/services/alpha/mcp?sessions=1", port=RELAY_PORT, method="POST", token=HUB_TOKEN, headers=headers,
        body=message("alpha_search"),
    )  # fmt: skip
    assert (answer.status, "Mcp-Session-Id" in answer.headers) == (200, False)


@pytest.mark.parametrize("era", CALLS)
def test_the_session_of_another_address_does_not_choose_the_container(own_gateway: GatewayUnderTest, era: str) -> None:
    for replica in (1, 2):
        own_gateway.backend("alpha", replica)
    own_gateway.configure(PATIENT, (replace(ALPHA, replicas=2),), CLIENTS, hub=HUB)
    wait_until_reached(own_gateway, 2)
    begun = own_gateway.request("/api/alpha/session", method="POST", body=b"{}")
    session = begun.headers["Mcp-Session-Id"]
    containers: set[str] = set()

    def both_are_called() -> bool:
        containers.add(CALLS[era](own_gateway, "alpha_search", Mcp_Session_Id=session).json()["container"])
        return len(containers) == 2

    wait_until(both_are_called, "both containers are called")
