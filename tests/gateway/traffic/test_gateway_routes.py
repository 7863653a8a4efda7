"""Tests which addresses reach which service, and with which headers."""

from __future__ import annotations

import pytest

from tests.gateway.support.gateway_under_test import GatewayUnderTest


@pytest.mark.parametrize(
    ("port", "path", "prefix"),
    [
        (80, "/api/alpha/search?q=%2F1", "/api/alpha"),
        (443, "/api/alpha/search?q=%2F1", "/api/alpha"),
        (8080, "/api/alpha/search?q=%2F1", "/api/alpha"),
        (8080, "/alpha/search?q=%2F1", "/alpha"),
    ],
)
def test_a_prefix_is_removed_and_passed_to_the_service_in_a_header(
    gateway: GatewayUnderTest, port: int, path: str, prefix: str
) -> None:
    seen = gateway.seen(path, port=port)
    assert (seen["uri"], seen["headers"]["x-forwarded-prefix"]) == ("/search?q=%2F1", prefix)


def test_a_direct_port_serves_at_the_root_without_a_prefix(gateway: GatewayUnderTest) -> None:
    seen = gateway.seen("/search", port=9000, headers={"X-Forwarded-Prefix": "/forged"})
    assert seen["uri"] == "/search"
    assert "x-forwarded-prefix" not in seen["headers"]


def test_the_host_reaches_the_service_as_the_caller_wrote_it(gateway: GatewayUnderTest) -> None:
    assert gateway.seen("/api/alpha/", headers={"Host": "pet.example:8443"})["headers"]["host"] == "pet.example:8443"


def test_the_scheme_reaches_the_service(gateway: GatewayUnderTest) -> None:
    assert gateway.seen("/api/alpha/", port=443)["headers"]["x-forwarded-proto"] == "https"
    assert gateway.seen("/api/alpha/", port=80)["headers"]["x-forwarded-proto"] == "http"


def test_a_body_reaches_the_service_unchanged(gateway: GatewayUnderTest) -> None:
    seen = gateway.seen("/api/alpha/search", method="POST", body='{"keyword":"猫"}'.encode())
    assert (seen["method"], seen["body"]) == ("POST", '{"keyword":"猫"}')


def test_a_missing_last_slash_is_redirected_with_the_method_kept(gateway: GatewayUnderTest) -> None:
    answer = gateway.request("/api/alpha?x=1", method="POST")
    assert (answer.status, answer.headers["Location"]) == (308, "/api/alpha/?x=1")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["location"] == "/api/alpha/?x=1"
    assert "/mcp" in answer.json()["error"]


@pytest.mark.parametrize(
    ("port", "path"), [(80, "//api//alpha///mcp?x=//"), (8080, "//alpha//mcp?x=//"), (9000, "//mcp?x=//")]
)
def test_doubled_slashes_are_merged(gateway: GatewayUnderTest, port: int, path: str) -> None:
    assert gateway.seen(path, port=port)["uri"] == "/mcp?x=//"


@pytest.mark.parametrize("path", ["/mcp", "/mcp/", "/mcp/sse", "/mcp/messages/"])
@pytest.mark.parametrize("method", ["GET", "DELETE", "POST", "PUT"])
def test_every_method_is_passed_to_the_service(gateway: GatewayUnderTest, method: str, path: str) -> None:
    seen = gateway.seen(f"/api/alpha{path}", method=method, headers={"Mcp-Session-Id": "made-up-session"})
    assert (seen["method"], seen["uri"]) == (method, path)


def test_the_405_of_a_service_is_passed_on_unchanged(gateway: GatewayUnderTest) -> None:
    answer = gateway.request("/api/alpha/answer?status=405", method="GET")
    assert (answer.status, answer.body) == (405, b"from the service")


@pytest.mark.parametrize("name", ["alpha-mcp", "Alpha", "ALPHA_MCP"])
def test_the_error_for_a_misspelt_service_has_the_right_address(gateway: GatewayUnderTest, name: str) -> None:
    body = gateway.request(f"/api/{name}/mcp", token=None).json()
    assert (body["code"], body["address"]) == ("unknown_service", "/api/alpha/mcp")
    assert "/api/alpha/mcp" in body["error"]


@pytest.mark.parametrize("path", ["/mcp", "/sse", "/alpha/mcp"])
def test_the_error_for_an_address_without_api_says_where_services_are(gateway: GatewayUnderTest, path: str) -> None:
    body = gateway.request(path, method="POST", token=None).json()
    assert body["code"] == "not_found"
    assert "/mcp" in body["error"]


def test_errors_of_a_service_are_passed_on_unchanged(gateway: GatewayUnderTest) -> None:
    answer = gateway.request("/api/alpha/missing")
    assert (answer.status, answer.body) == (404, b"from the service")


def test_the_root_describes_the_gateway_without_a_token(gateway: GatewayUnderTest) -> None:
    answer = gateway.request("/", token=None)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {
        "message": "DyberPet MCP Gateway",
        "version": "2.0.0",
        "services": ["/api/alpha", "/api/hung", "/api/absent"],
        "titles": {"alpha": "甲", "hung": "挂起", "absent": "缺席"},
    }


@pytest.mark.parametrize("port", [80, 443, 8080])
def test_health_answers_ok_without_a_token(gateway: GatewayUnderTest, port: int) -> None:
    answer = gateway.request("/health", port=port, token=None)
    assert (answer.status, answer.body) == (200, b"OK\n")


@pytest.mark.parametrize("path", ["/api/alpha/../hung/x", "/api/alpha/%2e%2e/%2e%2e/etc/passwd", "/api/alpha/..%2fx"])
def test_dots_never_lead_out_of_a_service(gateway: GatewayUnderTest, path: str) -> None:
    answer = gateway.request(path, token=None)
    assert answer.status in (400, 401, 404)


@pytest.mark.parametrize("port", [80, 443, 8080])
@pytest.mark.parametrize("path", ["/-/gateway/auth", "/-/gateway/probe/alpha", "/-/gateway/error/bad_request"])
def test_the_gateways_inner_addresses_cannot_be_called(gateway: GatewayUnderTest, port: int, path: str) -> None:
    assert gateway.request(path, port=port).status == 404


def test_a_service_cannot_steer_the_gateway_with_its_headers(gateway: GatewayUnderTest) -> None:
    answer = gateway.request("/api/alpha/hostile", headers={"X-Request-Id": "the-callers-own"})
    assert answer.body == b"hostile"
    assert answer.headers["Access-Control-Allow-Origin"] is None
    assert answer.headers.get_all("X-Request-Id") == ["the-callers-own"]
