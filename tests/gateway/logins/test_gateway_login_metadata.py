"""How clients find the identity provider: the metadata of every MCP address, and older ways of looking for it."""

from __future__ import annotations

import pytest

from tests.gateway.support.logins import Logins

METADATA = "/.well-known/oauth-protected-resource"
FOREIGN = {"Origin": "https://claude.example"}
WHOLE = ["mcp", "mcp:read"]


@pytest.mark.parametrize(
    ("form", "resource", "scopes"),
    [
        ("", "/mcp", [*WHOLE, "alpha", "alpha:read"]),
        ("/", "/mcp", [*WHOLE, "alpha", "alpha:read"]),
        ("/mcp", "/mcp", [*WHOLE, "alpha", "alpha:read"]),
        ("/mcp/sse", "/mcp/sse", [*WHOLE, "alpha", "alpha:read"]),
        ("/search/mcp", "/search/mcp", [*WHOLE, "alpha", "alpha:read"]),
        ("/groups/pet/search/mcp", "/groups/pet/search/mcp", [*WHOLE, "alpha", "alpha:read"]),
        ("/groups/pet/mcp", "/groups/pet/mcp", [*WHOLE, "alpha", "alpha:read"]),
        ("/api/alpha/mcp", "/api/alpha/mcp", [*WHOLE, "alpha", "alpha:read"]),
        ("/api/beta/mcp", "/api/beta/mcp", WHOLE),
    ],
)
def test_every_mcp_address_has_metadata_that_pages_of_any_origin_may_read(
    logins: Logins, form: str, resource: str, scopes: list[str]
) -> None:
    answer = logins.gateway.request(METADATA + form, token=None, headers=FOREIGN)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.headers.get_all("Access-Control-Allow-Origin") == ["*"]
    assert answer.json() == {
        "resource": logins.base + resource,
        "authorization_servers": [logins.provider.url],
        "scopes_supported": scopes,
        "bearer_methods_supported": ["header"],
        "resource_name": "DyberPet",
    }


@pytest.mark.parametrize("path", ["/api/alpha", "/x", "/api/alpha/mcp/x", "/mcp/mcp", "/api/alpha/x/mcp", "X", "/%2e"])
def test_other_addresses_have_no_metadata(logins: Logins, path: str) -> None:
    assert logins.gateway.request(METADATA + path, token=None).status == 404


def test_browsers_may_ask_before_they_read_the_metadata(logins: Logins) -> None:
    asked = {
        **FOREIGN,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "mcp-protocol-version",
    }
    answer = logins.gateway.request(METADATA + "/mcp", method="OPTIONS", token=None, headers=asked)
    assert answer.status == 204
    assert answer.headers.get_all("Access-Control-Allow-Origin") == ["*"]
    assert answer.headers["Access-Control-Allow-Headers"] == "mcp-protocol-version"


def test_pages_of_foreign_origins_still_may_not_call(logins: Logins) -> None:
    answer = logins.post(logins.token(), **FOREIGN)
    assert (answer.status, answer.json()["code"]) == (403, "foreign_origin")


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/.well-known/oauth-authorization-server", "/.well-known/oauth-authorization-server/realms/pet"),
        ("/.well-known/oauth-authorization-server/mcp", "/.well-known/oauth-authorization-server/realms/pet"),
        ("/.well-known/openid-configuration", "/realms/pet/.well-known/openid-configuration"),
    ],
)
def test_clients_that_look_for_the_identity_provider_here_are_sent_there(
    logins: Logins, path: str, target: str
) -> None:
    answer = logins.gateway.request(path, token=None, headers=FOREIGN)
    assert answer.status == 307
    assert answer.headers["Location"] == logins.provider.url.removesuffix("/realms/pet") + target
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("path", ["/register", "/authorize", "/mcp/.well-known/openid-configuration"])
def test_login_addresses_that_are_not_here_are_said_to_be_elsewhere(logins: Logins, path: str) -> None:
    answer = logins.gateway.request(path, token=None)
    assert (answer.status, answer.json()["code"]) == (404, "login_elsewhere")


def test_metadata_is_given_for_the_gateways_names_only(logins: Logins) -> None:
    host = f"localhost:{logins.base.rpartition(':')[2]}"
    answer = logins.gateway.request(METADATA, token=None, headers={"Host": host})
    assert answer.status == 404
    refused = logins.post(None, Host=host)
    assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, 'Bearer realm="dyberpet", charset="UTF-8"')


def test_metadata_does_not_count_as_guessed_tokens(logins: Logins) -> None:
    logins.deliver(limits=logins.settings.limits.model_copy(update={"refused_per_minute": 3}))
    statuses = [logins.gateway.request(METADATA, token=None).status for _ in range(10)]
    assert statuses == [200] * 10
    logins.deliver()
