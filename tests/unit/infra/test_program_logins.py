"""The program gives the hub of a stack with logins its identity providers, their secrets, and a way to reach them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pulumi.runtime.rpc import unwrap_rpc_secret

from tests.unit.infra.mocked import in_clear
from tests.unit.infra.test_program import Recorder, declare

SECRET = "very-secret-of-the-hub"
URL = "https://login.example.com"
ISSUER = {
    "url": URL,
    "otherUsers": "desktop-pet",
    "introspection": {"url": f"{URL}/ask", "clientId": "pet", "clientSecret": SECRET},
}


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    gateway = {"oauth": {"issuers": {"login": ISSUER}}}
    return declare(monkeypatch, encrypted=["gateway"], hub={"enabled": True}, gateway=gateway)


def uploads(recorder: Recorder, container: str) -> dict[str, str]:
    files: list[dict[str, Any]] = unwrap_rpc_secret(recorder.inputs("Container")[container]["uploads"])
    return {upload["file"]: upload["content"] for upload in files}


def test_the_hub_reads_its_identity_providers_from_a_file(fleet: Recorder) -> None:
    (issuer,) = json.loads(uploads(fleet, "hub-secrets")["/staging/secrets/oauth.json"])["issuers"]
    assert (issuer["alias"], issuer["url"], issuer["introspection"]["secret"]) == ("login", URL, "DYBER_OAUTH_LOGIN")
    environment = fleet.inputs("Container")["hub-server"]["envs"]
    assert "DYBER_OAUTH_FILE=/run/dyber-secrets/oauth.json-0123456789ab" in environment
    assert "DYBER_OAUTH_LOGIN_FILE=/run/dyber-secrets/DYBER_OAUTH_LOGIN-0123456789ab" in environment


def test_the_hub_reaches_the_internet_only_with_logins(fleet: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not fleet.inputs("Network")["hub-network"].get("internal")
    without = declare(monkeypatch, hub={"enabled": True})
    assert without.inputs("Network")["hub-network"]["internal"] is True
    assert not [entry for entry in without.inputs("Container")["hub-server"]["envs"] if "OAUTH" in entry]


def test_the_secret_is_in_one_upload_and_not_in_the_gateway(fleet: Recorder) -> None:
    assert SECRET not in json.dumps([in_clear(item.inputs) for item in fleet.resources], default=str)
    holders = {item.name for item in fleet.resources if SECRET in json.dumps(item.inputs, default=str)}
    assert holders == {"hub-secrets", "hub-secrets-revision"}


def test_the_gateway_gets_no_secret_of_the_hub_but_the_hash_of_its_token(fleet: Recorder) -> None:
    content = json.loads(uploads(fleet, "gateway-loader")["/staging/njs/logins.json"])
    assert content["issuers"] == [URL]
    assert content["opaque"] is True
    assert len(content["key"]) == 64
