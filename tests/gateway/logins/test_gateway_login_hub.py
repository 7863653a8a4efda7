"""Callers with access tokens at the addresses of the hub and of groups."""

from __future__ import annotations

import json

import pytest

from tests.gateway.support.gateway_under_test import Answer
from tests.gateway.support.logins import MODERN, Logins, calling

LIST = {**MODERN, "Mcp-Method": "tools/list"}


def headers_seen(answer: Answer) -> dict[str, str]:
    assert answer.status == 200, answer.body
    return {name.lower(): value for name, value in answer.json()["headers"].items()}


def test_the_hub_is_told_what_the_token_allows_at_each_service(logins: Logins) -> None:
    told = {
        scopes: headers_seen(logins.post(logins.token("/mcp", scope=scopes), "/mcp", **LIST))["x-dyber-scope"]
        for scopes in ("mcp", "mcp:read", "alpha:read", "alpha", "openid alpha:read mcp:read")
    }
    assert told == {
        "mcp": "all",
        "mcp:read": "alpha=read beta=read hung=read",
        "alpha:read": "alpha=read",
        "alpha": "alpha=all",
        "openid alpha:read mcp:read": "alpha=read beta=read hung=read",
    }


def test_a_user_who_is_a_client_is_limited_by_both(logins: Logins) -> None:
    seen = headers_seen(logins.post(logins.token("/mcp", groups=["readers"]), "/mcp", **LIST))
    assert (seen["x-dyber-client"], seen["x-dyber-scope"]) == ("reader", "alpha=read")


@pytest.mark.parametrize("old", [False, True])
def test_calls_go_straight_to_the_service_with_the_scope_that_the_token_allows(logins: Logins, old: bool) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "alpha_write"}}).encode()
    token = logins.token("/mcp", scope="mcp")
    headers = {} if old else calling("alpha_write")
    for _ in range(2):
        answer = logins.gateway.request("/mcp", method="POST", token=token, body=body, headers=headers)
        seen = headers_seen(answer)
        assert (seen["x-dyber-client"], seen["x-dyber-scope"]) == ("login.alice", "all")
        assert "hub" not in answer.json()


def test_a_call_beyond_the_token_is_refused_with_the_scope_that_it_needs(logins: Logins) -> None:
    for path in ("/mcp", "/groups/pet/mcp"):
        tool = "alpha_write" if path == "/mcp" else "write"
        answer = logins.post(logins.token(path, scope="mcp:read"), path, **calling(tool))
        assert (answer.status, answer.json()["code"]) == (403, "insufficient_scope")
        challenge = answer.headers["WWW-Authenticate"]
        assert 'error="insufficient_scope"' in challenge
        assert 'scope="alpha"' in challenge
        assert f'resource_metadata="{logins.base}/.well-known/oauth-protected-resource{path}"' in challenge


def test_a_call_beyond_the_configured_permissions_goes_to_the_hub_as_an_unknown_tool(logins: Logins) -> None:
    answer = logins.post(logins.token("/mcp", groups=["readers"]), "/mcp", **calling("alpha_write"))
    assert answer.json()["hub"] is True
    assert headers_seen(answer)["x-dyber-scope"] == "alpha=read"


def test_a_token_without_any_scope_is_refused_at_the_hub(logins: Logins) -> None:
    for path in ("/mcp", "/groups/pet/mcp"):
        answer = logins.post(logins.token(path, scope="openid profile"), path, **LIST)
        assert (answer.status, answer.json()["scope"]) == (403, "mcp:read")


def test_a_group_in_which_the_user_may_use_nothing_does_not_exist(logins: Logins) -> None:
    reader = logins.token("/groups/other/mcp", groups=["readers"])
    unknown = logins.token("/groups/unknown/mcp", groups=["readers"])
    answers = [
        logins.post(reader, "/groups/other/mcp", **LIST),
        logins.post(unknown, "/groups/unknown/mcp", **LIST),
    ]
    assert [answer.status for answer in answers] == [404, 404]
    bodies = [{**answer.json(), "request_id": ""} for answer in answers]
    assert bodies[0] == bodies[1]


def test_tokens_are_for_one_address(logins: Logins) -> None:
    addresses = ("/mcp", "/search/mcp", "/groups/pet/mcp", "/groups/pet/search/mcp", "/api/alpha/mcp")
    statuses = {
        (issued, called): logins.post(logins.token(issued), called, **LIST).status
        for issued in addresses
        for called in addresses
    }
    assert {pair for pair, status in statuses.items() if status == 200} == {(path, path) for path in addresses}
    assert set(statuses.values()) == {200, 401}


def test_the_challenge_of_the_hub_names_its_own_metadata(logins: Logins) -> None:
    for path in ("/mcp", "/groups/pet/mcp", "/groups/unknown/mcp"):
        answer = logins.post(None, path, **LIST)
        assert answer.status == 401
        metadata = f"{logins.base}/.well-known/oauth-protected-resource{path}"
        assert answer.headers["WWW-Authenticate"] == f'Bearer resource_metadata="{metadata}", scope="mcp"'
