"""When the hub asks an identity provider for its keys, and what happens while it does not answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from dyber_hub.tokens.configuration import Introspection, Issuer, read_issuers
from dyber_hub.tokens.outcomes import RefusedToken, Unavailable
from dyber_hub.tokens.verifier import Verifier

from tests.stand_in.identity_provider import (
    INTROSPECTION_PASSWORD,
    INTROSPECTION_USER,
    IdentityProvider,
    make_key,
)


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def provider() -> Iterator[IdentityProvider]:
    with IdentityProvider() as running:
        yield running


def issuer(provider: IdentityProvider, **changes: object) -> Issuer:
    values = {"scopes": {"mcp": "mcp"}, "other_users": "desktop-pet", "private_addresses": True, **changes}
    return Issuer(provider.url, "login", **values)


async def refused(verifier: Verifier, token: str) -> str:
    with pytest.raises(RefusedToken) as error:
        await verifier.verify(token)
    return error.value.reason


async def test_keys_are_fetched_once_for_ten_minutes(provider: IdentityProvider) -> None:
    clock = Clock()
    verifier = Verifier([issuer(provider)], clock)
    await asyncio.gather(*(verifier.verify(provider.token()) for _ in range(5)))
    clock.seconds += 599
    await verifier.verify(provider.token())
    assert provider.asked_for_keys() == 1
    clock.seconds += 2
    await verifier.verify(provider.token())
    assert provider.asked_for_keys() == 2


async def test_a_new_key_is_noticed_and_unknown_keys_cause_a_request_in_thirty_seconds_at_most(
    provider: IdentityProvider,
) -> None:
    clock = Clock()
    verifier = Verifier([issuer(provider)], clock)
    await verifier.verify(provider.token())
    provider.keys["rsa2"] = make_key("rsa")
    for _ in range(5):
        assert await refused(verifier, provider.token("rsa2")) == "login_invalid"
    assert provider.asked_for_keys() == 1
    clock.seconds += 31
    assert (await verifier.verify(provider.token("rsa2"))).client == "login.alice"
    del provider.keys["rsa"]
    assert provider.asked_for_keys() == 2


async def test_the_last_keys_stay_in_use_while_the_identity_provider_does_not_answer(
    provider: IdentityProvider,
) -> None:
    clock = Clock()
    verifier = Verifier([issuer(provider)], clock)
    token = provider.token()
    await verifier.verify(token)
    provider.failing = True
    clock.seconds += 3600
    assert (await verifier.verify(token)).client == "login.alice"
    assert await refused(verifier, provider.token(headers={"kid": "other"})) == "login_invalid"


async def test_without_any_keys_nothing_is_said_about_a_token_until_the_identity_provider_answers(
    provider: IdentityProvider,
) -> None:
    clock = Clock()
    verifier = Verifier([issuer(provider)], clock)
    provider.failing = True
    with pytest.raises(Unavailable):
        await verifier.verify(provider.token())
    provider.failing = False
    clock.seconds += 3
    assert (await verifier.verify(provider.token())).client == "login.alice"


async def test_metadata_of_another_issuer_and_too_large_keys_are_not_used(provider: IdentityProvider) -> None:
    provider.metadata["issuer"] = "https://other.example"
    with pytest.raises(Unavailable):
        await Verifier([issuer(provider)]).verify(provider.token())
    provider.metadata["issuer"] = provider.url
    provider.padding = "x" * 300_000
    with pytest.raises(Unavailable):
        await Verifier([issuer(provider)]).verify(provider.token())


async def test_private_addresses_are_asked_only_when_that_is_configured(provider: IdentityProvider) -> None:
    with pytest.raises(Unavailable):
        await Verifier([issuer(provider, private_addresses=False)]).verify(provider.token())
    assert provider.requests == []


async def test_other_tokens_are_looked_up_at_the_identity_provider(provider: IdentityProvider, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(INTROSPECTION_PASSWORD + "\n")
    how = Introspection(f"{provider.url}/introspect", INTROSPECTION_USER, secret)
    verifier = Verifier([issuer(provider, introspection=how)])
    provider.known = {
        "good": {**provider.claims(), "active": True},
        "other-issuer": {**provider.claims(iss="https://other.example"), "active": True},
        "expired": {**provider.claims(exp=1), "active": True},
        "no-audience": {**provider.claims(aud=None), "active": True},
        "endless": {**provider.claims(exp=float("inf")), "active": True},
        "inactive": {**provider.claims(), "active": False},
    }
    assert (await verifier.verify("good")).client == "login.alice"
    reasons = {token: await refused(verifier, token) for token in provider.known if token != "good"}
    assert reasons == {
        "other-issuer": "login_issuer",
        "expired": "login_expired",
        "no-audience": "login_audience",
        "endless": "login_invalid",
        "inactive": "login_invalid",
    }
    provider.failing = True
    with pytest.raises(Unavailable):
        await verifier.verify("good")


def test_a_configuration_of_another_form_is_refused_by_its_file(tmp_path: Path) -> None:
    file = tmp_path / "oauth.json"
    for text in ("", "{}", json.dumps({"scopes": [], "issuers": [{"alias": "x"}]})):
        file.write_text(text)
        with pytest.raises(ValueError, match=r"oauth\.json"):
            read_issuers(file, {})
