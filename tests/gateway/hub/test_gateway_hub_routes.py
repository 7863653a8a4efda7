"""Tests where calls at the hub's addresses go: straight to their service, or to the hub."""

from __future__ import annotations

import json
import socket

import pytest

from tests.gateway.support import http2_call
from tests.gateway.support.gateway_under_test import TOKEN, Answer, GatewayUnderTest
from tests.gateway.support.hub_under_test import CALLS, MODERN, message, modern, old, reached, seen_headers

ENTRANCES = [(80, "/mcp"), (443, "/mcp"), (8080, "/mcp"), (80, "/mcp/")]


@pytest.mark.parametrize("era", CALLS)
@pytest.mark.parametrize(("port", "path"), ENTRANCES)
def test_15_a_call_of_a_known_tool_never_touches_the_hub(
    gateway: GatewayUnderTest, era: str, port: int, path: str
) -> None:
    answer = CALLS[era](gateway, "alpha_search", path, port=port)
    assert (reached(answer), answer.json()["uri"]) == ("alpha", "/mcp")


@pytest.mark.parametrize("era", CALLS)
def test_15_a_service_gets_the_body_unchanged(gateway: GatewayUnderTest, era: str) -> None:
    body = (
        b'{"jsonrpc":"2.0", "id":9007199254740993,"method":"tools/call",  "params":{"name":"alpha_search","n":1e400}}'
    )
    answer = CALLS[era](gateway, "alpha_search", body=body)
    assert (reached(answer), answer.json()["body"].encode()) == ("alpha", body)


@pytest.mark.parametrize("era", CALLS)
def test_15_a_service_gets_the_same_headers_as_below_api(gateway: GatewayUnderTest, era: str) -> None:
    straight, direct = (seen_headers(CALLS[era](gateway, "alpha_search", path)) for path in ("/mcp", "/api/alpha/mcp"))
    changing = ("x-request-id", "traceparent")
    assert {**straight, **dict.fromkeys(changing)} == {**direct, **dict.fromkeys(changing)}


def test_16_an_old_call_with_a_small_body_goes_to_its_service(gateway: GatewayUnderTest) -> None:
    padding = 131_072 - len(message("alpha_search", pad=""))
    for spare, target in ((padding, "alpha"), (padding + 1, "hub")):
        answer = old(gateway, "alpha_search", body=message("alpha_search", pad="x" * spare))
        assert reached(answer) == target


def test_16_a_modern_call_with_a_large_body_goes_to_its_service(gateway: GatewayUnderTest) -> None:
    answer = modern(gateway, "alpha_search", body=message("alpha_search", pad="x" * 500_000))
    assert reached(answer) == "alpha"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"7",
        b"[]",
        b"[" + message("alpha_search") + b"]",
        message("alpha_search").replace(b'"id": 1, ', b""),
        message("alpha_search", "tools/list"),
        message("alpha_greet", "prompts/get"),
        b'{"id":1,"method":"tools/call"}',
        b'{"id":1,"method":"tools/call","params":null}',
        b'{"id":1,"method":"tools/call","params":{"name":["alpha_search"]}}',
        message("alpha_search")[:-1],
        b"[" * 131_000,
        b'{"a":' * 20_000,
        b'{"__proto__": ' + message("alpha_search") + b"}",
        message("alpha_search\n"),
        message("alpha_search\0"),
        b'{"id":1,"method":"tools/call","params":{"name":"\\ud800"}}',
    ],
)
def test_16_other_old_bodies_go_to_the_hub_unchanged(gateway: GatewayUnderTest, body: bytes) -> None:
    answer = old(gateway, "", body=body)
    assert (reached(answer), answer.json()["body"].encode()) == ("hub", body)


def test_16_clients_that_leave_while_their_body_is_read_harm_nobody(gateway: GatewayUnderTest) -> None:
    begun = (
        f"POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
        "X-Request-Id: hub-left-early\r\nContent-Length: 100\r\n\r\n{"
    )
    before = gateway.logs()[1]
    for _ in range(10):
        with socket.create_connection(("127.0.0.1", gateway.port(80)), 20) as connection:
            connection.sendall(begun.encode())
    gateway.logged("hub-left-early")
    assert reached(old(gateway, "alpha_search")) == "alpha"
    assert gateway.logs()[1] == before


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
def test_16_each_old_revision_is_known(gateway: GatewayUnderTest, version: str) -> None:
    assert reached(old(gateway, "alpha_search", MCP_Protocol_Version=version)) == "alpha"


@pytest.mark.parametrize("version", ["2027-01-01", "2026-07-28x", "latest", f"{MODERN}, {MODERN}"])
def test_3_a_revision_that_is_not_known_is_left_to_the_hub(gateway: GatewayUnderTest, version: str) -> None:
    assert reached(old(gateway, "alpha_search", MCP_Protocol_Version=version)) == "hub"


@pytest.mark.parametrize(
    "name",
    [
        "Alpha_Search",
        "ALPHA_SEARCH",
        "alpha_searc",
        "alpha_search, alpha_search",
        "=?base64?YWxwaGFfc2VhcmNo?=",
        "pet|tools/call|find",
        "constructor",
        "x" * 5000,
    ],
)
def test_18_a_name_that_is_not_exactly_a_tools_goes_to_the_hub(gateway: GatewayUnderTest, name: str) -> None:
    assert reached(modern(gateway, name)) == "hub"
    assert reached(old(gateway, name)) == "hub"


@pytest.mark.parametrize(
    "method", [None, "", "tools/list", "Tools/Call", "tools/call, tools/call", "completion/complete", "server/discover"]
)
def test_19_a_modern_request_without_the_method_of_a_call_goes_to_the_hub(
    gateway: GatewayUnderTest, method: str | None
) -> None:
    assert reached(modern(gateway, "alpha_search", method=method, body=message("alpha_search"))) == "hub"


@pytest.mark.parametrize(
    ("method", "name", "target"),
    [
        ("prompts/get", "alpha_greet", "alpha"),
        ("prompts/get", "other_greet", "hub"),
        ("resources/read", "alpha://note/1?x=2", "alpha"),
        ("resources/read", "alpha:note", "alpha"),
        ("resources/read", "ALPHA://note/1", "hub"),
        ("resources/read", "beta://note/1", "hub"),
        ("resources/read", "=?base64?YWxwaGE6Ly9ub3RlLzE=?=", "hub"),
        ("resources/read", "alpha", "hub"),
    ],
)
def test_prompts_and_resources_go_to_the_service_that_they_name(
    gateway: GatewayUnderTest, method: str, name: str, target: str
) -> None:
    assert reached(modern(gateway, name, method=method)) == target


def test_what_only_the_hub_answers_keeps_its_address(gateway: GatewayUnderTest) -> None:
    for path in ("/mcp", "/mcp/", "/groups/pet/mcp", "/search/mcp", "/mcp/messages/?session_id=abc"):
        answer = modern(gateway, None, path, method="tools/list")
        assert (reached(answer), answer.json()["uri"]) == ("hub", path)


def test_search_has_no_tools_of_services(gateway: GatewayUnderTest) -> None:
    for call in CALLS.values():
        assert reached(call(gateway, "alpha_search", "/search/mcp")) == "hub"


def test_the_old_transport_is_the_hubs(gateway: GatewayUnderTest) -> None:
    for path in ("/mcp/sse", "/groups/pet/mcp/sse", "/search/mcp/sse"):
        assert gateway.seen(path)["uri"] == path


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "PATCH", "HEAD"])
@pytest.mark.parametrize("path", ["/mcp", "/mcp/", "/groups/pet/mcp", "/search/mcp"])
def test_37_other_methods_than_post_are_refused(gateway: GatewayUnderTest, path: str, method: str) -> None:
    answer = gateway.request(path, method=method)
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("path", ["/mcp", "/groups/pet/mcp", "/groups/none/mcp", "/mcp/sse", "/mcp/messages/"])
def test_45_every_address_needs_a_token(gateway: GatewayUnderTest, path: str) -> None:
    for method in ("GET", "POST"):
        assert gateway.request(path, method=method, token=None).status == 401
        assert gateway.request(path, method=method, token="wrong" * 8).status == 401


def test_47_foreign_origins_and_hosts_are_refused(gateway: GatewayUnderTest) -> None:
    assert modern(gateway, "alpha_search", Origin="https://foreign.example").status == 403
    assert modern(gateway, "alpha_search", Host="foreign.example").status == 421


def test_callers_cannot_address_the_internal_way_to_a_service(gateway: GatewayUnderTest) -> None:
    answer = modern(gateway, "alpha_search", "/-/gateway/call/alpha")
    assert (answer.status, answer.json()["code"]) == (404, "not_found")


def test_a_probe_for_a_login_is_not_found(gateway: GatewayUnderTest) -> None:
    for path in ("/.well-known/oauth-protected-resource/mcp", "/mcp/.well-known/openid-configuration"):
        assert gateway.request(path, token=None).status == 404


def sorted_headers(answer: Answer) -> str:
    return json.dumps(seen_headers(answer), sort_keys=True)


@pytest.mark.parametrize("path", ["/mcp", "/groups/pet/mcp", "/api/alpha/mcp", "/mcp/messages/"])
def test_22_what_a_client_says_about_itself_is_overwritten(gateway: GatewayUnderTest, path: str) -> None:
    forged = {"X_Dyber_Client": "forged", "X_Dyber_Scope": "forged", "X_Dyber_Tool": "forged"}
    for name in ("alpha_search", "find", "no_tool"):
        for call in CALLS.values():
            assert "forged" not in sorted_headers(call(gateway, name, path, **forged))


def test_16_an_old_call_without_an_announced_length_goes_to_the_hub(gateway: GatewayUnderTest) -> None:
    seen = json.loads(http2_call.call(gateway.port(80), "POST", "/mcp", TOKEN, message("alpha_search")))
    assert "X-Forwarded-Prefix" not in seen["headers"]
    assert (seen["uri"], seen["body"].encode()) == ("/mcp", message("alpha_search"))
