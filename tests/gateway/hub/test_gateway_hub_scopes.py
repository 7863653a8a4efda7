"""Tests what clients with scopes may do at the hub's addresses, and that groups show nothing to others."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from infra.rendering.gateway.model import GatewayClient, Scope
from tests.gateway.support.gateway_under_test import SETTINGS, GatewayUnderTest
from tests.gateway.support.hub_under_test import (
    ABSENT,
    ALPHA,
    CALLS,
    CLIENTS,
    HUB,
    HUNG,
    PATIENT,
    READ_TOOLS,
    SERVICES,
    message,
    modern,
    reached,
    seen_headers,
)

MAY_CALL = {"desktop-pet": {*READ_TOOLS, "alpha_publish"}, "reader": {*READ_TOOLS}, "publisher": {"alpha_publish"}}
#: What the hub is told of each client.
TOLD = {
    "desktop-pet": "all",
    "reader": "alpha=read",
    "publisher": "absent=all alpha=tools:alpha_publish",
    "nobody": "none",
}


@pytest.mark.parametrize("era", CALLS)
@pytest.mark.parametrize("client", MAY_CALL)
def test_21_exactly_the_tools_of_a_scope_are_sent_to_the_service(
    gateway: GatewayUnderTest, client: str, era: str
) -> None:
    straight = {
        tool
        for tool in (*READ_TOOLS, "alpha_publish")
        if reached(CALLS[era](gateway, tool, client=client)) == "alpha"
    }  # fmt: skip
    assert straight == MAY_CALL[client]


@pytest.mark.parametrize("era", CALLS)
def test_20_a_denied_tool_is_as_an_unknown_one_to_the_hub(gateway: GatewayUnderTest, era: str) -> None:
    for name in ("alpha_publish", "no_tool"):
        answer = CALLS[era](gateway, name, client="reader")
        assert (reached(answer), answer.json()["body"].encode()) == ("hub", message(name))


@pytest.mark.parametrize("client", TOLD)
@pytest.mark.parametrize("path", ["/mcp", "/search/mcp", "/mcp/messages/"])
def test_the_hub_is_told_the_scope_of_every_service(gateway: GatewayUnderTest, client: str, path: str) -> None:
    headers = seen_headers(modern(gateway, None, path, client=client, method="tools/list"))
    assert (headers["x-dyber-client"], headers["x-dyber-scope"]) == (client, TOLD[client])
    assert "x-dyber-tool" not in headers
    assert "authorization" not in headers


def test_a_service_is_told_its_scope_only(gateway: GatewayUnderTest) -> None:
    assert seen_headers(modern(gateway, "alpha_search", client="reader"))["x-dyber-scope"] == "read"
    told = seen_headers(modern(gateway, "alpha_publish", client="publisher"))["x-dyber-scope"]
    assert told == "tools:alpha_publish"


def test_only_the_scope_read_includes_prompts_and_resources(gateway: GatewayUnderTest) -> None:
    for method, name in (("prompts/get", "alpha_greet"), ("resources/read", "alpha://note/1")):
        assert reached(modern(gateway, name, method=method, client="reader")) == "alpha"
        assert reached(modern(gateway, name, method=method, client="publisher")) == "hub"


@pytest.mark.parametrize("era", CALLS)
def test_39_a_renamed_tool_is_called_by_its_name_in_the_group(gateway: GatewayUnderTest, era: str) -> None:
    answer = CALLS[era](gateway, "find", "/groups/pet/mcp")
    assert (reached(answer), seen_headers(answer)["x-dyber-tool"]) == ("alpha", "alpha_search")


@pytest.mark.parametrize("era", CALLS)
def test_39_a_tool_that_keeps_its_name_has_no_alias(gateway: GatewayUnderTest, era: str) -> None:
    answer = CALLS[era](gateway, "alpha_publish", "/groups/writers/mcp", client="publisher")
    assert reached(answer) == "alpha"
    assert "x-dyber-tool" not in seen_headers(answer)


@pytest.mark.parametrize("era", CALLS)
def test_39_inside_a_group_only_its_names_are_known(gateway: GatewayUnderTest, era: str) -> None:
    for name in ("alpha_search", "alpha_publish", "Find"):
        assert reached(CALLS[era](gateway, name, "/groups/pet/mcp")) == "hub"
    assert reached(CALLS[era](gateway, "find")) == "hub"


@pytest.mark.parametrize("era", CALLS)
def test_39_a_scope_applies_to_the_tools_real_name(gateway: GatewayUnderTest, era: str) -> None:
    assert reached(CALLS[era](gateway, "find", "/groups/pet/mcp", client="reader")) == "alpha"
    assert reached(CALLS[era](gateway, "find", "/groups/pet/mcp", client="publisher")) == "hub"


@pytest.mark.parametrize("era", CALLS)
@pytest.mark.parametrize("path", ["/search/mcp", "/groups/pet/search/mcp"])
def test_the_hub_alone_answers_at_addresses_of_the_search(gateway: GatewayUnderTest, path: str, era: str) -> None:
    for name in ("find_tools", "find", "alpha_search"):
        answer = CALLS[era](gateway, name, path, client="reader")
        assert (reached(answer), seen_headers(answer)["x-dyber-scope"]) == ("hub", TOLD["reader"])


def test_prompts_and_resources_of_a_group_are_those_of_its_services(gateway: GatewayUnderTest) -> None:
    for method, name, target in (
        ("prompts/get", "alpha_greet", "alpha"),
        ("prompts/get", "absent_greet", "hub"),
        ("resources/read", "alpha://note/1", "alpha"),
        ("resources/read", "absent://note/1", "hub"),
    ):
        assert reached(modern(gateway, name, "/groups/pet/mcp", method=method)) == target


def test_38_a_group_in_which_the_client_may_use_nothing_is_as_an_unknown_one(gateway: GatewayUnderTest) -> None:
    answers = [
        modern(gateway, "find", f"/groups/{path}", client=client, X_Request_Id="same-request-id")
        for client, path in (
            ("reader", "writers/mcp"),
            ("reader", "writers/mcp/messages/"),
            ("nobody", "pet/mcp"),
            ("reader", "unknown/mcp"),
            ("reader", "unknown"),
            ("desktop-pet", "unknown/mcp"),
            ("desktop-pet", "PET/mcp"),
            ("nobody", "pet/search/mcp"),
            ("reader", "writers/search/mcp"),
            ("desktop-pet", "unknown/search/mcp"),
            ("desktop-pet", "search/mcp"),
            ("desktop-pet", "pet/search/search/mcp"),
        )
    ]
    assert {answer.status for answer in answers} == {404}
    assert len({answer.body for answer in answers}) == 1
    assert gateway.request("/groups/writers/mcp/sse").status == 200
    for method in ("GET", "DELETE", "OPTIONS"):
        token = f"{'reader':x<40}"
        for path in ("writers/mcp", "writers/mcp/sse", "unknown/mcp"):
            assert gateway.request(f"/groups/{path}", method=method, token=token).status == 404


@pytest.mark.parametrize("scope", ["read", "all", ("hung_read",)])
def test_38_a_group_of_pages_is_there_for_clients_that_may_read(bare: GatewayUnderTest, scope: Scope) -> None:
    client = replace(CLIENTS[1], name="reader-of-pages", scopes={"hung": scope})
    bare.configure(PATIENT, SERVICES, (client,), hub=HUB)
    answer = modern(bare, None, "/groups/pages/mcp", method="resources/list", client="reader")
    assert answer.status == (404 if isinstance(scope, tuple) else 200)


@pytest.fixture(scope="module")
def mixed(bare: GatewayUnderTest) -> GatewayUnderTest:
    """A gateway where alpha does not keep to scopes itself, and hung has accounts."""
    services = (
        replace(ALPHA, enforces_scopes=False),
        replace(HUNG, port=9003, enforces_scopes=True, accounts=True),
        ABSENT,
    )
    limited = GatewayClient("limited", CLIENTS[0].token_sha256, accounts={"hung": ("main", "second")})
    bare.configure(SETTINGS, services, (limited, *CLIENTS[1:]), hub=HUB)
    return bare


def test_a_narrow_call_without_headers_waits_for_no_service_that_ignores_scopes(mixed: GatewayUnderTest) -> None:
    assert reached(CALLS["old"](mixed, "alpha_search", client="reader")) == "hub"
    assert reached(modern(mixed, "alpha_search", client="reader")) == "alpha"


@pytest.mark.parametrize("era", CALLS)
def test_accounts_are_told_to_the_service_and_to_the_hub(mixed: GatewayUnderTest, era: str) -> None:
    call = CALLS[era]
    assert seen_headers(call(mixed, "hung_read"))["x-dyber-scope"] == "all;accounts=main,second"
    assert seen_headers(call(mixed, "no_tool"))["x-dyber-scope"] == (
        "absent=all alpha=all hung=all;accounts=main,second"
    )  # fmt: skip
    assert reached(call(mixed, "alpha_search")) == "alpha"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    some.sampled_from([*MAY_CALL, "nobody"]),
    some.sampled_from([*READ_TOOLS, "alpha_publish", "find", "hung_read", "absent_greet"]),
    some.sampled_from(["/mcp", "/groups/pet/mcp", "/groups/writers/mcp", "/search/mcp"]),
    some.sampled_from(list(CALLS)),
)
def test_21_no_call_reaches_a_service_beyond_the_scope(
    gateway: GatewayUnderTest, client: str, name: str, path: str, era: str
) -> None:
    if name == "hung_read" and client == "desktop-pet":
        return
    answer = CALLS[era](gateway, name, path, client=client)
    if answer.status == 404:
        return
    if reached(answer) != "hub":
        tool = seen_headers(answer).get("x-dyber-tool", name)
        assert tool in MAY_CALL[client]


@pytest.mark.parametrize("era", CALLS)
def test_a_tool_with_another_name_at_the_hub_is_called_by_that_name_only(bare: GatewayUnderTest, era: str) -> None:
    bare.configure(PATIENT, SERVICES, CLIENTS, hub=replace(HUB, names={"alpha": {"alpha_search": "look"}}))
    answer = CALLS[era](bare, "look", client="reader")
    assert (reached(answer), seen_headers(answer)["x-dyber-tool"]) == ("alpha", "alpha_search")
    assert reached(CALLS[era](bare, "alpha_search")) == "hub"
    assert reached(CALLS[era](bare, "alpha_publish")) == "alpha"
    # Below its own address, the service keeps its names.
    assert reached(CALLS[era](bare, "alpha_search", "/api/alpha/mcp")) == "alpha"
