"""For which addresses tokens may be meant, and what gateway and hub are told of identity providers."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from dyber_hub.tokens.configuration import Introspection, User, read_issuers

from infra.rendering.gateway.configuration import render
from infra.rendering.gateway.logins import authorization_server, login_bases
from infra.rendering.gateway.model import GatewayHub, GatewayService
from infra.rendering.hub.logins import introspection_secrets, logins, secret_name
from infra.schema.problems import UnusableValue
from infra.settings.gateway import GatewaySettings
from infra.settings.oauth import OAuthSettings

ALPHA = GatewayService("alpha", 8001, "甲", 60)
ISSUER = {"url": "https://login.example.com/realms/pet/", "other_users": "desktop-pet"}
HUB = GatewayHub(hashlib.sha256(b"hub").hexdigest())


def gateway(issuer: dict[str, Any] | None = None, **settings: Any) -> GatewaySettings:
    return GatewaySettings(oauth=OAuthSettings(issuers={"login": issuer or ISSUER}), **settings)


def bases(**settings: Any) -> set[str]:
    return set(login_bases(gateway(**settings), [ALPHA]).values())


def test_a_gateway_on_this_machine_only_has_the_names_of_this_machine() -> None:
    assert {"http://localhost", "https://127.0.0.1", "http://localhost:8080", "http://127.0.0.1:8001"} <= bases()
    assert "http://localhost:8180" in bases(port_offset=100)


def test_host_names_of_others_are_reached_by_https_only() -> None:
    names = bases(server_names=("pet.example.com",))
    assert {base for base in names if "pet.example.com" in base} == {"https://pet.example.com"}


def test_a_gateway_that_others_reach_has_no_names_of_this_machine() -> None:
    assert bases(bind="0.0.0.0", server_names=("pet.example.com",)) == {"https://pet.example.com"}
    assert bases(public_url="https://pet.example.com") == {"https://pet.example.com"}
    assert not any("docker" in base or "containers" in base for base in bases())


def test_calls_through_a_proxy_of_the_user_have_its_address() -> None:
    by_request = login_bases(gateway(public_url="https://pet.example.com:8443"), [ALPHA])
    assert by_request["http://pet.example.com:8443"] == "https://pet.example.com:8443"


def test_the_usual_port_may_be_in_the_host_header() -> None:
    by_request = login_bases(gateway(server_names=("pet.example.com",)), [])
    assert (
        by_request["https://pet.example.com:443"] == by_request["https://pet.example.com"] == "https://pet.example.com"
    )


def test_the_metadata_of_the_identity_provider_is_where_its_standards_say() -> None:
    oauth = gateway().oauth
    assert oauth is not None
    assert authorization_server(oauth) == {
        "oauth": "https://login.example.com/.well-known/oauth-authorization-server/realms/pet",
        "openid": "https://login.example.com/realms/pet/.well-known/openid-configuration",
    }


def test_without_logins_the_gateway_knows_nothing_of_them() -> None:
    files = render(GatewaySettings(), [ALPHA], [], hub=HUB)
    assert "njs/logins.json" not in files
    assert "oauth.js" not in "".join(text for name, text in files.items() if name.endswith(".conf"))


def test_logins_without_a_hub_are_refused() -> None:
    with pytest.raises(UnusableValue) as refused:
        render(gateway(), [ALPHA], [])
    assert refused.value.message == "hub_is_off"


def test_the_hub_reads_what_the_program_writes(tmp_path: Path) -> None:
    issuer = {
        **ISSUER,
        "audiences": ("account",),
        "jwks_uri": "https://keys.example.com",
        "introspection": {"url": "https://login.example.com/ask", "client_id": "pet", "client_secret": "very-secret"},
        "scope_names": {"mcp": "api://pet/all"},
        "users": ({"claim": "groups", "value": "admins", "client": "admin"},),
        "private_addresses": True,
    }
    oauth = gateway(issuer).oauth
    assert oauth is not None
    text = logins(oauth, {})
    assert "very-secret" not in text
    assert introspection_secrets(oauth) == {"DYBER_OAUTH_LOGIN": "very-secret"}
    file = tmp_path / "oauth.json"
    file.write_text(text)
    (read,) = read_issuers(file, {f"{secret_name('login')}_FILE": "/run/secret"})
    assert (read.url, read.alias, read.audiences, read.jwks_uri) == (
        "https://login.example.com/realms/pet/", "login", {"account"}, "https://keys.example.com"
    )  # fmt: skip
    assert read.introspection == Introspection("https://login.example.com/ask", "pet", Path("/run/secret"))
    assert (read.scopes, read.other_users) == ({"api://pet/all": "mcp", "mcp:read": "mcp:read"}, "desktop-pet")
    assert (read.users, read.private_addresses) == ((User("groups", "admins", "admin"),), True)
