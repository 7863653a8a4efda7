"""The console understands what a real gateway logs and answers."""

from __future__ import annotations

import json
import uuid

import pytest
from dyber_console.intake.access_log import call_from_line
from dyber_console.intake.live import read_status
from dyber_console.records.model import Call, Result

from tests.gateway.support.docker_cli import wait_until
from tests.gateway.support.gateway_under_test import GatewayUnderTest

CALL = {
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "tools/call",
    "Mcp-Name": "alpha_search",
    "Content-Type": "application/json",
}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def logged_call(gateway: GatewayUnderTest, service: str = "alpha", **options: object) -> Call:
    """Send a call, and return it as the console reads it from the gateway's log."""
    request_id = uuid.uuid4().hex
    headers = {**CALL, "X-Request-Id": request_id, "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    gateway.request(f"/api/{service}/mcp", method="POST", headers=headers, body=b"{}", **options)  # type: ignore[arg-type]
    call = call_from_line(json.dumps(gateway.logged(request_id)))
    assert call is not None
    return call


def test_a_call_has_its_client_tool_and_trace(gateway: GatewayUnderTest) -> None:
    call = logged_call(gateway)
    assert (call.client, call.service, call.tool, call.trace_id) == ("desktop-pet", "alpha", "alpha_search", TRACE)
    assert (call.outcome, call.is_call, call.tries) == ("ok", True, 1)
    assert call.upstream_seconds[0] is not None and call.upstream_seconds[0] <= call.seconds + 0.01
    assert call.bytes_in > 0 and call.bytes_out > 0


@pytest.mark.parametrize(
    ("service", "token", "outcome", "result"),
    [
        ("alpha", None, "unauthorized", Result.REFUSED),
        ("absent", "0f" * 32, "service_down", Result.FAILED),
    ],
)
def test_a_call_that_the_gateway_refuses_has_its_code(
    gateway: GatewayUnderTest, service: str, token: str | None, outcome: str, result: Result
) -> None:
    call = logged_call(gateway, service, token=token)
    # After several calls without an answer, the breaker refuses those of an absent service.
    assert (call.outcome, call.result) in ((outcome, result), ("circuit_open", Result.REFUSED))


def test_the_status_of_each_service_is_read(gateway: GatewayUnderTest) -> None:
    wait_until(
        lambda: read_status(gateway.request("/api/status").json())["absent"].state == "down",
        "the services were checked",
    )
    services = read_status(gateway.request("/api/status").json())
    assert set(services) == {"alpha", "hung", "absent"}
    assert (services["absent"].ready, services["absent"].total) == (0, 1)
