"""Clients of some tools that speak older revisions of MCP, at a service that keeps to the scope the gateway tells it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

import pytest

from infra.rendering.gateway.model import GatewayClient, GatewayService, Scope
from tests.gateway.conftest import started
from tests.gateway.support.gateway_under_test import SETTINGS, Answer, GatewayUnderTest, changed

ALPHA = GatewayService(
    "alpha", 9000, "甲", 5, read_tools=("alpha_search", "alpha_get.note"), write_tools=("alpha_publish", "alpha_Delete"),
    requests_per_second=9999, enforces_scopes=True, accounts=True,
)  # fmt: skip
#: Has the same backend behind it, and does not keep to scopes.
FOREIGN = GatewayService("foreign", 9001, "乙", 5, read_tools=("foreign_search",), requests_per_second=9999)
SCOPES: dict[str, Mapping[str, Scope] | None] = {
    "everyone": None,
    "owner": {"alpha": "all", "foreign": "all"},
    "reader": {"alpha": "read", "foreign": "read"},
    "publisher": {"alpha": ("alpha_publish", "alpha_search"), "foreign": ("foreign_search",)},
    "stranger": {"foreign": "all"},
    "child": None,
    "cousin": {"alpha": "read"},
    "aunt": {"alpha": ("alpha_publish", "alpha_search")},
}
#: The clients that may use some accounts only, and these at the service alpha.
ACCOUNTS = {"child": ("second", "main"), "cousin": ("main",), "aunt": tuple(f"a{n:0>31}" for n in range(50))}
#: What the service is told of each client.
TOLD = {"everyone": "all", "owner": "all", "reader": "read", "publisher": "tools:alpha_publish,alpha_search"}
TOLD |= {
    "child": "all;accounts=second,main",
    "cousin": "read;accounts=main",
    "aunt": f"tools:alpha_publish,alpha_search;accounts={','.join(ACCOUNTS['aunt'])}",
}
TOKENS = {name: f"{name:x<40}" for name in SCOPES}
ENTRANCES = [(80, "/api/alpha"), (443, "/api/alpha"), (8080, "/api/alpha"), (8080, "/alpha"), (9000, "")]
#: What clients of older revisions send: method, address below the service's own, version.
OLD_CALLS = [
    ("POST", "/mcp", None),
    ("POST", "/mcp/", "2024-11-05"),
    ("POST", "/mcp", "2025-03-26"),
    ("POST", "/mcp?trace=1", "2025-06-18"),
    ("POST", "/mcp", "2025-11-25"),
    ("POST", "/mcp", "2027-01-01"),
    ("GET", "/mcp", "2025-11-25"),
    ("DELETE", "/mcp", "2025-11-25"),
    ("GET", "/mcp/sse", None),
    ("GET", "/mcp/sse/", None),
    ("POST", "/mcp/messages/?session_id=0123456789abcdef", None),
    ("POST", "/mcp/messages?session_id=0123456789abcdef", None),
]


@pytest.fixture(scope="module")
def scoped(gateway_image: str) -> Iterator[GatewayUnderTest]:
    clients = tuple(
        GatewayClient(
            name,
            (hashlib.sha256(TOKENS[name].encode()).hexdigest(),),
            scopes,
            {"alpha": ACCOUNTS[name]} if name in ACCOUNTS else {},
        )
        for name, scopes in SCOPES.items()
    )
    with started(gateway_image) as running:
        running.backend("alpha")
        running.configure(changed(SETTINGS, open_docs=True), (ALPHA, FOREIGN), clients)
        yield running


def send(
    gateway: GatewayUnderTest,
    client: str,
    method: str,
    path: str,
    version: str | None = None,
    port: int = 80,
    **more: str,
) -> Answer:
    headers = {name.replace("_", "-"): value for name, value in more.items()}
    headers |= {"MCP-Protocol-Version": version} if version else {}
    body = b"{}" if method == "POST" else None
    return gateway.request(path, port=port, method=method, token=TOKENS[client], headers=headers, body=body)


def told(answer: Answer) -> list[str]:
    """What the backend was told of the scope."""
    assert answer.status == 200, answer.body
    return [
        value for name, value in answer.json()["headers"].items() if name.lower().replace("_", "-") == "x-dyber-scope"
    ]


@pytest.mark.parametrize(("port", "prefix"), ENTRANCES)
@pytest.mark.parametrize(("method", "path", "version"), OLD_CALLS)
def test_old_calls_of_every_client_reach_the_service_with_the_scope(
    scoped: GatewayUnderTest, port: int, prefix: str, method: str, path: str, version: str | None
) -> None:
    for client, scope in TOLD.items():
        assert told(send(scoped, client, method, prefix + path, version, port)) == [scope]
        forged = send(
            scoped, client, method, prefix + path, version, port, X_Dyber_Scope="all", Connection="X-Dyber-Scope"
        )
        assert told(forged) == [scope]
    assert send(scoped, "stranger", method, prefix + path, version, port).status == 403


def test_a_modern_call_carries_the_scope_too(scoped: GatewayUnderTest) -> None:
    call = {"Mcp_Method": "tools/call", "Mcp_Name": "alpha_search", "X_Dyber_Scope": "all"}
    for client, scope in TOLD.items():
        assert told(send(scoped, client, "POST", "/api/alpha/mcp", "2026-07-28", **call)) == [scope]


def test_forged_spellings_of_the_header_do_not_reach_the_service(scoped: GatewayUnderTest) -> None:
    connection = scoped.connect(80)
    connection.putrequest("POST", "/api/alpha/mcp")
    for name, value in (
        ("Authorization", f"Bearer {TOKENS['reader']}"), ("X-Dyber-Scope", "all"), ("x-dyber-scope", "all"),
        ("X_Dyber_Scope", "all"), ("X-DYBER-SCOPE", "tools:alpha_publish"), ("Content-Length", "0"),
    ):  # fmt: skip
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    assert told(Answer(answer.status, answer.headers, answer.read())) == ["read"]
    connection.close()


@pytest.mark.parametrize("client", ["reader", "publisher", "child", "cousin"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/mcp"), ("OPTIONS", "/mcp"), ("HEAD", "/mcp/sse"), ("POST", "/mcp/sse"), ("DELETE", "/mcp/sse"),
     ("GET", "/mcp/messages/"), ("DELETE", "/mcp/messages/"), ("POST", "/mcp/messages/x"), ("POST", "/mcp/messages//"),
     ("GET", "/mcp/sse/x"), ("GET", "/mcp//sse"), ("GET", "/x/../mcp/sse"), ("GET", "/mcp/%73se"), ("GET", "/MCP"),
     ("POST", "/search"), ("GET", "/"), ("GET", "/metrics"), ("POST", "/mcp/messages/../../search")],
)  # fmt: skip
def test_everything_beside_mcp_still_takes_the_whole_service(
    scoped: GatewayUnderTest, client: str, method: str, path: str
) -> None:
    assert send(scoped, client, method, f"/api/alpha{path}").status == 403
    assert send(scoped, client, method, path, port=9000).status == 403


def test_a_modern_call_of_a_tool_outside_the_scope_does_not_reach_the_service(scoped: GatewayUnderTest) -> None:
    call = {"Mcp_Method": "tools/call", "Mcp_Name": "alpha_publish"}
    answer = send(scoped, "reader", "POST", "/api/alpha/mcp", "2026-07-28", **call)
    assert (answer.status, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize(("method", "path", "version"), OLD_CALLS)
def test_a_service_that_does_not_keep_to_scopes_gets_no_old_calls_of_narrow_clients(
    scoped: GatewayUnderTest, method: str, path: str, version: str | None
) -> None:
    for client in ("reader", "publisher"):
        answer = send(scoped, client, method, f"/api/foreign{path}", version)
        assert (answer.status, answer.json()["code"]) == (403, "forbidden")
        assert "2026-07-28" in answer.json()["error_en"]
    # Nothing runs there, but the call is let through.
    let_through = send(scoped, "owner", method, f"/api/foreign{path}", version)
    assert let_through.json()["code"] in ("service_down", "circuit_open")


def test_a_refusal_by_a_service_that_keeps_to_scopes_names_no_revision(scoped: GatewayUnderTest) -> None:
    body = send(scoped, "reader", "POST", "/api/alpha/search").json()
    assert "all" in body["error_en"]
    assert "2026-07-28" not in body["error_en"] + body["error"]


@pytest.mark.parametrize(
    ("called", "name"),
    [("tools/call", "alpha_publish"), ("tools/list", ""), ("prompts/get", "greet"), ("completion/complete", "")],
)
def test_a_client_of_some_accounts_may_use_all_of_mcp(scoped: GatewayUnderTest, called: str, name: str) -> None:
    call = {"Mcp_Method": called, "Mcp_Name": name, "X_Dyber_Scope": "all"}
    assert told(send(scoped, "child", "POST", "/api/alpha/mcp", "2026-07-28", **call)) == [TOLD["child"]]
    assert send(scoped, "child", "GET", "/api/alpha/ready").status == 200


def test_a_client_of_some_accounts_is_told_why_it_may_use_mcp_only(scoped: GatewayUnderTest) -> None:
    body = send(scoped, "child", "POST", "/api/alpha/search").json()
    assert body["code"] == "forbidden"
    assert "accounts" in body["error_en"] and "账号" in body["error"]


def test_accounts_at_one_service_leave_the_others_as_they_are(scoped: GatewayUnderTest) -> None:
    for method, path in (("POST", "/search"), ("GET", "/metrics"), ("POST", "/mcp")):
        let_through = send(scoped, "child", method, f"/api/foreign{path}")
        assert let_through.json()["code"] in ("service_down", "circuit_open")
        assert send(scoped, "cousin", method, f"/api/foreign{path}").status == 403


def test_addresses_of_the_gateway_are_not_for_a_client_of_some_accounts(scoped: GatewayUnderTest) -> None:
    assert send(scoped, "everyone", "GET", "/metrics").status == 200
    for client in ACCOUNTS:
        assert send(scoped, client, "GET", "/metrics").status == 403


def test_documentation_that_is_open_to_everyone_is_read_with_no_scope_of_the_callers_own(
    scoped: GatewayUnderTest,
) -> None:
    answer = scoped.request("/api/alpha/docs", token=None, headers={"X-Dyber-Scope": "all"})
    assert told(answer) == ["none"]
