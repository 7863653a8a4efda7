"""Tests scopes: all of a service, only what reads, or certain tools."""

from __future__ import annotations

import hashlib
import http.client
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from infra.rendering.gateway.model import GatewayClient, GatewayService, Scope
from tests.gateway.conftest import started
from tests.gateway.support.gateway_under_test import ABSENT, OTHER_TOKEN, TOKEN, Answer, GatewayUnderTest

READ_TOOLS = ("alpha_search", "alpha_get.note")
WRITE_TOOLS = ("alpha_publish", "alpha_Delete")
ALPHA = GatewayService("alpha", 9000, "甲", 5, read_tools=READ_TOOLS, write_tools=WRITE_TOOLS, requests_per_second=9999)
#: A name that every JavaScript object has; its service is the backend on port 9000, which answers everything.
CONSTRUCTOR = GatewayService("constructor", 9001, "乙", 5, requests_per_second=9999)
SCOPES: dict[str, Mapping[str, Scope] | None] = {
    "everyone": None,
    "owner": {"alpha": "all"},
    "reader": {"alpha": "read"},
    "publisher": {"alpha": ("alpha_publish", "alpha_search")},
    "stranger": {"absent": "all", "gone": "all"},
    "nobody": {},
}
TOKENS = {name: f"{name:x<40}" for name in SCOPES}
MODERN = "2026-07-28"
#: Requests of a path or call, by the scope that they need.
LISTS = ("server/discover", "tools/list", "prompts/list", "resources/list", "resources/templates/list",
         "subscriptions/listen")  # fmt: skip
READS = ("prompts/get", "resources/read")


@pytest.fixture(scope="module")
def scoped(gateway_image: str) -> Iterator[GatewayUnderTest]:
    clients = tuple(
        GatewayClient(name, (hashlib.sha256(TOKENS[name].encode()).hexdigest(),), scopes)
        for name, scopes in SCOPES.items()
    )
    with started(gateway_image) as running:
        running.backend("alpha")
        running.configure(services=(ALPHA, CONSTRUCTOR, ABSENT), clients=clients)
        yield running


def call(
    gateway: GatewayUnderTest,
    client: str,
    tool: str = "alpha_search",
    *,
    path: str = "/api/alpha/mcp",
    port: int = 80,
    method: str = "POST",
    **changes: str | None,
) -> Answer:
    """Call a tool with modern headers; `changes` replaces headers, given as Python names, or removes them with None."""
    headers = {"mcp_protocol_version": MODERN, "mcp_method": "tools/call", "mcp_name": tool, **changes}
    sent = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
    return gateway.request(path, port=port, method=method, token=TOKENS[client], headers=sent, body=b"{}")


ENTRANCES = [(80, "/api/alpha"), (443, "/api/alpha"), (8080, "/api/alpha"), (8080, "/alpha"), (9000, "")]


@pytest.mark.parametrize(("port", "prefix"), ENTRANCES)
def test_a_reader_may_call_what_reads(scoped: GatewayUnderTest, port: int, prefix: str) -> None:
    for path in (f"{prefix}/mcp", f"{prefix}/mcp/", f"{prefix}/mcp?trace=1"):
        for tool in READ_TOOLS:
            assert call(scoped, "reader", tool, port=port, path=path).status == 200


@pytest.mark.parametrize(("port", "prefix"), ENTRANCES)
def test_a_reader_may_not_call_what_writes(scoped: GatewayUnderTest, port: int, prefix: str) -> None:
    for tool in WRITE_TOOLS:
        answer = call(scoped, "reader", tool, port=port, path=f"{prefix}/mcp")
        assert (answer.status, answer.json()["code"]) == (403, "forbidden")


def test_a_list_of_tools_allows_exactly_these(scoped: GatewayUnderTest) -> None:
    allowed = [tool for tool in (*READ_TOOLS, *WRITE_TOOLS) if call(scoped, "publisher", tool).status == 200]
    assert allowed == ["alpha_search", "alpha_publish"]


@pytest.mark.parametrize("client", ["reader", "publisher"])
def test_lists_need_no_tool(scoped: GatewayUnderTest, client: str) -> None:
    for listed in LISTS:
        assert call(scoped, client, mcp_method=listed, mcp_name=None).status == 200


def test_only_the_scope_read_includes_resources_and_prompts(scoped: GatewayUnderTest) -> None:
    for read in READS:
        assert call(scoped, "reader", mcp_method=read, mcp_name="alpha://note/1").status == 200
        assert call(scoped, "publisher", mcp_method=read, mcp_name="alpha://note/1").status == 403


@pytest.mark.parametrize(
    "changes",
    [
        {"mcp_protocol_version": None},
        {"mcp_protocol_version": "2025-11-25"},
        {"mcp_protocol_version": "2026-07-29"},
        {"mcp_method": None},
        {"mcp_method": "Tools/Call"},
        {"mcp_method": "tools/call/"},
        {"mcp_method": "initialize"},
        {"mcp_method": "notifications/cancelled"},
        {"mcp_name": None},
        {"mcp_name": "Alpha_Search"},
        {"mcp_name": "alpha_searc"},
        {"mcp_name": "alpha_search,alpha_search"},
        {"mcp_name": "=?base64?YWxwaGFfc2VhcmNo?="},
        {"mcp_name": "constructor"},
        {"mcp_name": "0"},
        {"mcp_name": "length"},
        {"mcp_name": '"}{missing}{client}$&'},
        {"method": "GET"},
        {"method": "DELETE"},
        {"method": "OPTIONS"},
        {"path": "/api/alpha/mcp/sse"},
        {"path": "/api/alpha/mcp/messages/?session_id=1"},
        {"path": "/api/alpha/MCP"},
        {"path": "/api/alpha/%6dcp"},
        {"path": "/api/alpha/mcp/x"},
        {"path": "/api/alpha//mcp"},
        {"path": "/api/alpha/x/../mcp"},
        {"path": "/api/alpha/search"},
        {"path": "/api/alpha/health"},
        {"path": "/x/../mcp", "port": 9000},
        {"path": "//mcp", "port": 9000},
        {"path": "/%6Dcp", "port": 9000},
    ],
)
def test_a_call_that_may_write_is_forbidden_to_a_reader(scoped: GatewayUnderTest, changes: dict) -> None:
    assert call(scoped, "reader", **changes).json()["code"] == "forbidden"
    assert call(scoped, "publisher", **changes).json()["code"] == "forbidden"
    assert call(scoped, "owner", **changes).status == 200


@pytest.mark.parametrize("name", ["MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"])
def test_a_doubled_header_is_forbidden(scoped: GatewayUnderTest, name: str) -> None:
    headers = [("MCP-Protocol-Version", MODERN), ("Mcp-Method", "tools/call"), ("Mcp-Name", "alpha_search")]
    connection = scoped.connect(80)
    connection.putrequest("POST", "/api/alpha/mcp")
    connection.putheader("Authorization", f"Bearer {TOKENS['reader']}")
    for header, value in [*headers, *(pair for pair in headers if pair[0] == name)]:
        connection.putheader(header, value)
    connection.endheaders()
    assert connection.getresponse().status == 403
    connection.close()


def test_a_refusal_names_the_missing_permission_in_both_languages(scoped: GatewayUnderTest) -> None:
    answer = call(scoped, "reader", "alpha_publish", x_request_id="scope-test-refusal")
    body = answer.json()
    assert body["status"] == "error"
    assert "服务 alpha 的工具 alpha_publish" in body["error"]
    assert "tool alpha_publish of service alpha" in body["error_en"]
    assert "reader" in body["error"]
    assert body["service"] == "alpha"
    assert body["request_id"] == answer.headers["X-Request-Id"] == "scope-test-refusal"
    assert answer.headers["Content-Type"] == "application/json"
    entry = scoped.logged("scope-test-refusal")
    assert (entry["status"], entry["error"], entry["client"]) == (403, "forbidden", "reader")


def test_an_older_client_is_told_that_it_needs_the_whole_service(scoped: GatewayUnderTest) -> None:
    body = call(scoped, "reader", mcp_protocol_version="2025-06-18").json()
    assert "all" in body["error"]
    assert MODERN in body["error_en"]


def test_hostile_names_stay_text_in_a_refusal(scoped: GatewayUnderTest) -> None:
    body = call(scoped, "reader", '"}{client}$&\u00e9').json()
    assert '"}{client}$&' in body["error_en"]


@pytest.mark.parametrize("client", ["owner", "reader", "publisher"])
def test_any_scope_of_a_service_allows_its_health(scoped: GatewayUnderTest, client: str) -> None:
    for path in ("/api/alpha/health", "/api/alpha/ready"):
        for method in ("GET", "HEAD"):
            assert scoped.request(path, method=method, token=TOKENS[client]).status == 200


@pytest.mark.parametrize("client", ["stranger", "nobody"])
@pytest.mark.parametrize(("port", "prefix"), ENTRANCES)
def test_a_service_outside_the_scopes_is_forbidden(
    scoped: GatewayUnderTest, client: str, port: int, prefix: str
) -> None:
    for path in (f"{prefix}/health", f"{prefix}/x", f"{prefix}/mcp"):
        assert scoped.request(path, port=port, token=TOKENS[client]).json()["code"] == "forbidden"


@pytest.mark.parametrize("client", ["owner", "reader", "publisher", "stranger", "nobody"])
def test_a_service_named_like_a_javascript_property_is_as_protected_as_others(
    scoped: GatewayUnderTest, client: str
) -> None:
    assert call(scoped, client, path="/api/constructor/mcp").json()["code"] == "forbidden"
    assert call(scoped, "everyone", path="/api/constructor/mcp").json()["code"] == "service_down"


def test_a_scope_of_everything_includes_every_service(scoped: GatewayUnderTest) -> None:
    for method, path in (("GET", "/api/alpha/mcp/sse"), ("POST", "/api/alpha/search"), ("DELETE", "/api/alpha/mcp")):
        assert scoped.request(path, method=method, token=TOKENS["everyone"]).status == 200
        assert scoped.request(path, method=method, token=TOKENS["owner"]).status == 200
    assert scoped.request("/api/absent/x", token=TOKENS["everyone"]).json()["code"] == "service_down"
    assert scoped.request("/api/absent/x", token=TOKENS["stranger"]).json()["code"] == "service_down"


def test_scopes_do_not_help_without_a_token(scoped: GatewayUnderTest) -> None:
    for token in (TOKEN, OTHER_TOKEN, None):
        assert scoped.request("/api/alpha/mcp", method="POST", token=token).status == 401


def permitted(client: str, method: str, path: str, headers: Mapping[str, str]) -> bool:
    """Decide by the rules of scopes, independently of the gateway's implementation."""
    scope = "all" if SCOPES[client] is None else SCOPES[client].get("alpha")
    if scope in ("all", None):
        return scope == "all"
    if path in ("/health", "/ready"):
        return method in ("GET", "HEAD")
    if (method, path.rstrip("/"), headers.get("MCP-Protocol-Version")) != ("POST", "/mcp", MODERN):
        return False
    if headers.get("Mcp-Method") == "tools/call":
        return headers.get("Mcp-Name") in (READ_TOOLS if scope == "read" else scope)
    return headers.get("Mcp-Method") in (*LISTS, *(READS if scope == "read" else ()))


HEADERS = some.fixed_dictionaries(
    {},
    optional={
        "MCP-Protocol-Version": some.sampled_from([MODERN] * 4 + ["2025-11-25", "2024-11-05"]),
        "Mcp-Method": some.sampled_from(["tools/call"] * 6 + [*LISTS, *READS, "initialize", "logging/setLevel", "x"]),
        "Mcp-Name": some.sampled_from([*READ_TOOLS, *WRITE_TOOLS, "ALPHA_SEARCH", "alpha_delete", "*", "/"]),
    },
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    some.sampled_from(sorted(SCOPES)),
    some.sampled_from(["POST"] * 4 + ["GET", "HEAD", "DELETE", "PUT"]),
    some.sampled_from(["/mcp"] * 4 + ["/mcp/", "/health", "/ready", "/mcp/sse", "/search", "/"]),
    HEADERS,
)
def test_the_gateway_decides_as_the_rules_say(
    connection: http.client.HTTPConnection, client: str, method: str, path: str, headers: dict[str, str]
) -> None:
    authorization = {"Authorization": f"Bearer {TOKENS[client]}"}
    connection.request(method, f"/api/alpha{path}", headers={**authorization, **headers})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == (200 if permitted(client, method, path, headers) else 403)


@pytest.fixture
def connection(scoped: GatewayUnderTest) -> Iterator[http.client.HTTPConnection]:
    opened = scoped.connect(80)
    yield opened
    opened.close()
