"""Tests the access log: it has clients, services and tools, and no secrets."""

from __future__ import annotations

import re
import socket
from typing import Any

from tests.gateway.support.docker_cli import wait_until
from tests.gateway.support.gateway_under_test import OTHER_TOKEN, TOKEN, GatewayUnderTest

SECRET = "query-secret-4711"


def test_a_call_is_logged_with_client_service_and_tool(gateway: GatewayUnderTest) -> None:
    headers = {"X-Request-Id": "log-test-call", "Mcp-Method": "tools/call", "Mcp-Name": "alpha_search"}
    gateway.request("/api/alpha/mcp?x=1", method="POST", body=b"{}", headers=headers)
    entry = gateway.logged("log-test-call")
    assert entry["client"] == "desktop-pet"
    assert entry["service"] == "alpha"
    assert (entry["mcp_method"], entry["mcp_name"]) == ("tools/call", "alpha_search")
    assert (entry["method"], entry["path"], entry["status"], entry["error"]) == ("POST", "/api/alpha/mcp", 200, "")
    assert entry["upstream_status"] == "200"
    assert float(entry["upstream_connect_seconds"]) >= 0
    assert 0 < entry["bytes"] < entry["bytes_out"]
    assert entry["breaker"] == "closed"


def test_a_refusal_is_logged_with_its_code(gateway: GatewayUnderTest) -> None:
    gateway.request("/api/alpha/x", token=OTHER_TOKEN, headers={"X-Request-Id": "log-test-refusal"})
    entry = gateway.logged("log-test-refusal")
    assert (entry["status"], entry["error"], entry["client"], entry["service"]) == (401, "unauthorized", "", "alpha")


def test_no_token_and_no_query_is_ever_logged(gateway: GatewayUnderTest) -> None:
    gateway.request(f"/api/alpha/x?key={SECRET}", headers={"X-Request-Id": "log-test-good-token"})
    gateway.request(f"/api/alpha/x?key={SECRET}", token=OTHER_TOKEN)
    gateway.request(f"/api/absent/x?key={SECRET}")
    gateway.request(f"/api/status?key={SECRET}")
    gateway.request(f"/api/alpha/x?key={SECRET}", method="POST", body=b"x" * (1024 * 1024 + 1))
    gateway.request("/api/alpha/x", headers={"Mcp-Name": f"notes://a?key={SECRET}", "X-Request-Id": "log-test-last"})
    assert gateway.logged("log-test-last")["mcp_name"] == "notes://a"
    entries, errors = gateway.logs()
    for text in (str(entries), errors):
        assert SECRET not in text
        assert TOKEN not in text
        assert OTHER_TOKEN not in text


def test_a_stopped_service_does_not_fill_the_log(gateway: GatewayUnderTest) -> None:
    assert "could not be resolved" not in gateway.logs()[1]


def test_requests_of_the_gateway_to_itself_are_not_logged(gateway: GatewayUnderTest) -> None:
    # Paths do not distinguish them, as callers may use any path; the gateway's own requests use another port.
    assert [entry for entry in gateway.logs()[0] if entry["port"] not in gateway.ports] == []


def test_a_malformed_request_leaves_a_valid_line(gateway: GatewayUnderTest) -> None:
    before = len(gateway.logs()[0])
    with socket.create_connection(("127.0.0.1", gateway.port(80)), timeout=20) as connection:
        connection.sendall(b"GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        connection.recv(1024)
    wait_until(lambda: len(gateway.logs()[0]) > before, "the line is there")
    entry = gateway.logs()[0][-1]
    assert (entry["status"], entry["service"], entry["breaker"]) == (400, "", "")


def test_hostile_headers_cannot_break_a_log_line(gateway: GatewayUnderTest) -> None:
    hostile = 'a"b\\c\u00e9' + "x" * 500
    gateway.request("/api/alpha/x", headers={"User-Agent": hostile, "X-Request-Id": "log-test-hostile"})
    assert gateway.logged("log-test-hostile")["user_agent"].startswith('a"b\\c')
    assert len(gateway.logged("log-test-hostile")["user_agent"]) <= 128


def test_the_trace_of_a_caller_is_passed_on(gateway: GatewayUnderTest) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    seen = gateway.seen("/api/alpha/", headers={"traceparent": trace, "X-Request-Id": "log-test-trace"})
    assert seen["headers"]["traceparent"] == gateway.logged("log-test-trace")["traceparent"] == trace


def test_a_missing_or_invalid_trace_is_replaced(gateway: GatewayUnderTest) -> None:
    for trace in ({}, {"traceparent": "00-" + "0" * 32 + "-00f067aa0ba902b7-01"}, {"traceparent": "nonsense"}):
        made = gateway.seen("/api/alpha/", headers=trace)["headers"]["traceparent"]
        assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", made)


def test_the_containers_own_health_checks_are_not_logged(gateway: GatewayUnderTest) -> None:
    before = from_inside(gateway)
    assert gateway.healthy()
    gateway.request("/health", headers={"X-Request-Id": "log-test-outside"})
    gateway.logged("log-test-outside")
    assert from_inside(gateway) == before


def from_inside(gateway: GatewayUnderTest) -> list[dict[str, Any]]:
    """Return the logged requests that came from inside the gateway's container, such as those of other tests."""
    return [entry for entry in gateway.logs()[0] if entry["remote"] == "127.0.0.1"]
