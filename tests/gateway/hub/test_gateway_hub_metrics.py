"""Tests that calls at the hub's addresses are counted by the names that services give their tools."""

from __future__ import annotations

import pytest

from tests.gateway.hub.test_gateway_hub_observing import relayed, values
from tests.gateway.support.docker_cli import wait_until
from tests.gateway.support.gateway_under_test import GatewayUnderTest
from tests.gateway.support.hub_under_test import CALLS

TOOL_CALLS, DURATIONS = "dyber_gateway_tool_calls_total", "dyber_gateway_request_seconds_count"


def number(gateway: GatewayUnderTest, metric: str, *labels: str) -> float:
    return values(gateway, metric).get(labels, 0)


@pytest.mark.parametrize("era", CALLS)
@pytest.mark.parametrize(
    ("path", "name", "expected"),
    [
        ("/mcp", "alpha_search", ("alpha", "alpha_search", "desktop-pet", "ok")),
        ("/groups/pet/mcp", "find", ("alpha", "alpha_search", "desktop-pet", "ok")),
        ("/mcp", "absent_read", ("absent", "absent_read", "desktop-pet", "failed")),
    ],
)
def test_39_a_call_is_counted_for_the_tool_at_its_service(
    gateway: GatewayUnderTest, era: str, path: str, name: str, expected: tuple[str, ...]
) -> None:
    before = number(gateway, TOOL_CALLS, *expected)
    assert CALLS[era](gateway, name, path).status == 200
    wait_until(lambda: number(gateway, TOOL_CALLS, *expected) == before + 1, "the call is counted")


def test_39_a_call_that_the_hub_passes_on_is_counted_for_the_tool_that_it_calls(gateway: GatewayUnderTest) -> None:
    labels = ("alpha", "alpha_search", "reader", "ok")
    before = number(gateway, TOOL_CALLS, *labels)
    relayed(gateway, "reader", "hub-metrics-relayed")
    wait_until(lambda: number(gateway, TOOL_CALLS, *labels) == before + 1, "the call is counted")


@pytest.mark.parametrize("era", CALLS)
def test_names_of_groups_and_made_up_names_create_no_series(gateway: GatewayUnderTest, era: str) -> None:
    for path, name in (("/mcp", "made_up"), ("/groups/pet/mcp", "alpha_search"), ("/groups/pet/mcp", "made_up")):
        CALLS[era](gateway, name, path)
    before = number(gateway, TOOL_CALLS, "alpha", "alpha_search", "desktop-pet", "ok")
    CALLS[era](gateway, "find", "/groups/pet/mcp")
    wait_until(
        lambda: number(gateway, TOOL_CALLS, "alpha", "alpha_search", "desktop-pet", "ok") == before + 1,
        "the last call is counted",
    )
    assert not {labels[1] for labels in values(gateway, TOOL_CALLS)} & {"made_up", "find"}


@pytest.mark.parametrize("era", CALLS)
def test_requests_that_the_hub_answers_have_a_histogram_of_their_own(gateway: GatewayUnderTest, era: str) -> None:
    before = number(gateway, DURATIONS, "hub", "ok")
    CALLS[era](gateway, "no_tool")
    wait_until(lambda: number(gateway, DURATIONS, "hub", "ok") == before + 1, "the request is counted")
