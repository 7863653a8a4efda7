"""The settings of logins: which identity providers can be trusted, and how mistakes are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.schema.problems import ConfigurationError
from infra.services.catalog import load_catalog
from infra.settings.stack import StackSettings, parse_settings, read_settings

REPOSITORY = Path(__file__).resolve().parents[4]
URL = "https://login.example.com/realms/pet"
ISSUER = {"url": URL, "otherUsers": "desktop-pet"}


def settings(issuer: dict[str, Any], stack: dict[str, Any] | None = None, **oauth: Any) -> StackSettings:
    gateway = {"oauth": {"issuers": {"login": issuer}, **oauth}, **(stack or {}).pop("gateway", {})}
    values = {"gateway": gateway, "hub": {"enabled": True}, **(stack or {})}
    return parse_settings("dev", {f"dyber:{key}": json.dumps(value) for key, value in values.items()}, {})


def refusal(issuer: dict[str, Any], stack: dict[str, Any] | None = None, **oauth: Any) -> str:
    with pytest.raises(ConfigurationError) as refused:
        settings(issuer, stack, **oauth).select(load_catalog(REPOSITORY / "mcp-servers"))
    return str(refused.value)


def test_an_identity_provider_needs_its_address_and_somebody_who_may_call() -> None:
    accepted = settings(ISSUER).gateway.oauth
    assert accepted is not None
    assert accepted.scopes == ("mcp", "mcp:read")
    assert accepted.first.url == URL
    assert "otherUsers" in refusal({"url": URL})


@pytest.mark.parametrize(
    "url",
    [
        "http://login.example.com",
        "http://10.0.0.5",
        "ftp://x.example",
        "https://",
        "https://u:p@x.example",
        "https://x.example/?a",
    ],
)
def test_addresses_need_https(url: str) -> None:
    for issuer in (
        {**ISSUER, "url": url},
        {**ISSUER, "jwksUri": url},
        {**ISSUER, "introspection": {"url": url, "clientId": "x", "clientSecret": "very-secret"}},
    ):
        text = refusal(issuer)
        assert "https://" in text
        assert "very-secret" not in text


@pytest.mark.parametrize(
    "url", ["https://x.example:70000", "https://x.example:0", "https://x.example:p", "https://[::1"]
)
def test_a_port_that_no_address_has_is_refused(url: str) -> None:
    for issuer in ({**ISSUER, "url": url}, {**ISSUER, "jwksUri": url}):
        assert "the port after the host must be 1 to 65535" in refusal(issuer)
    refused = refusal(ISSUER, {"gateway": {"publicUrl": url}})
    assert refused.startswith(f"Pulumi.dev.yaml: gateway.publicUrl = '{url}': ")


@pytest.mark.parametrize("url", ["http://localhost:8180", "http://127.0.0.1:8180/x", "http://[::1]:8180"])
def test_this_machine_may_be_reached_without_https(url: str) -> None:
    assert settings({**ISSUER, "url": url}).gateway.oauth is not None


@pytest.mark.parametrize("url", ["http://localhost:8180", "https://127.0.0.1", "https://[::1]:8443"])
def test_an_address_that_is_the_hubs_container_itself_is_refused(url: str) -> None:
    assert f"issuers.login.url = '{url}': the hub fetches the keys from here" in refusal({**ISSUER, "url": url})
    assert "issuers.login.jwksUri" in refusal({**ISSUER, "jwksUri": url, "privateAddresses": True})
    introspection = {"url": url, "clientId": "x", "clientSecret": "very-secret"}
    assert "login.introspection.url" in refusal({**ISSUER, "introspection": introspection})
    # Only its keys are fetched then.
    elsewhere = settings({**ISSUER, "url": url, "jwksUri": "https://keys.example.com"})
    assert elsewhere.select(load_catalog(REPOSITORY / "mcp-servers"))


@pytest.mark.parametrize("url", ["https://10.0.0.5", "https://[fd00::5]/realms/pet", "https://192.168.1.5:8443"])
def test_a_private_address_is_refused_with_the_setting_that_allows_it(url: str) -> None:
    text = refusal({**ISSUER, "url": url})
    assert "is in a private network" in text
    assert text.endswith("privateAddresses: true")
    assert settings({**ISSUER, "url": url, "privateAddresses": True}).select(load_catalog(REPOSITORY / "mcp-servers"))


def test_callers_must_reach_the_gateway_by_https() -> None:
    assert "publicUrl" in refusal(ISSUER, {"gateway": {"publicUrl": "http://pet.example.com"}})
    assert settings(ISSUER, {"gateway": {"publicUrl": "http://localhost:8180"}}).gateway.oauth is not None


def test_clients_and_services_that_do_not_exist_are_named() -> None:
    assert "gateway.oauth.issuers.login.otherUsers" in refusal({"url": URL, "otherUsers": "nobody"})
    users = [{"value": "alice", "client": "desktop-pet"}, {"value": "bob", "client": "nobody"}]
    assert "gateway.oauth.issuers.login.users.1.client" in refusal({"url": URL, "users": users})
    assert "'nothing:read'" in refusal(ISSUER, scopes=["mcp", "nothing:read"])
    assert settings(ISSUER, scopes=["mcp", "template:read"]).select(load_catalog(REPOSITORY / "mcp-servers"))
    assert "Nothing:x" in refusal(ISSUER, scopes=["Nothing:x"])


def test_logins_need_the_hub() -> None:
    assert "enabled: true" in refusal(ISSUER, {"hub": {"enabled": False}})


def test_an_identity_provider_is_listed_once() -> None:
    text = refusal(ISSUER, issuers={"a": ISSUER, "b": ISSUER})
    assert URL in text


def test_a_secret_in_clear_is_refused_and_not_shown(tmp_path: Path) -> None:
    introspection = {"url": URL, "clientId": "x", "clientSecret": "very-secret"}
    gateway = {"oauth": {"issuers": {"login": {**ISSUER, "introspection": introspection}}}}
    with pytest.raises(ConfigurationError) as refused:
        read_settings(tmp_path, "dev", {"dyber:gateway": json.dumps(gateway)})
    command = "./deploy.sh config set gateway.oauth.issuers.login.introspection.clientSecret --secret -s dev"
    assert command in str(refused.value)
    assert "very-secret" not in str(refused.value)


def test_an_encrypted_secret_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text(
        "config:\n  dyber:gateway:\n    oauth:\n      issuers:\n        login:\n"
        f"          url: {URL}\n          otherUsers: desktop-pet\n          introspection:\n"
        f"            url: {URL}\n            clientId: x\n            clientSecret:\n              secure: v1:abc\n"
    )
    introspection = {"url": URL, "clientId": "x", "clientSecret": "very-secret"}
    gateway = {"oauth": {"issuers": {"login": {**ISSUER, "introspection": introspection}}}}
    read = read_settings(tmp_path, "dev", {"dyber:gateway": json.dumps(gateway)}, ["dyber:gateway"])
    assert read.gateway.oauth is not None
    assert "very-secret" not in repr(read)
