"""Which access tokens the hub accepts, and why it refuses the others."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from functools import partial

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from dyber_hub.tokens.configuration import Issuer, User
from dyber_hub.tokens.outcomes import RefusedToken
from dyber_hub.tokens.verifier import Verifier

from tests.stand_in.identity_provider import IdentityProvider, make_key

SCOPES = {"mcp": "mcp", "mcp:read": "mcp:read", "template": "template"}


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    with IdentityProvider() as running:
        yield running


@pytest.fixture
def issuer(provider: IdentityProvider) -> Issuer:
    return Issuer(provider.url, "login", scopes=SCOPES, other_users="desktop-pet", private_addresses=True)


def encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def unsigned(provider: IdentityProvider) -> str:
    return jwt.encode(provider.claims(), None, "none", {"kid": "rsa"})


def signed_with_the_public_key(provider: IdentityProvider) -> str:
    """Return a token whose shared secret is the public key, which everybody knows."""
    public = provider.keys["rsa"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    content = f"{encoded({'alg': 'HS256', 'kid': 'rsa', 'typ': 'at+jwt'})}.{encoded(provider.claims())}"
    digest = hmac.new(public, content.encode(), hashlib.sha256).digest()
    return f"{content}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def signed_by_another_key(provider: IdentityProvider) -> str:
    return jwt.encode(provider.claims(), make_key("rsa"), "RS256", {"kid": "rsa"})


def with_header(provider: IdentityProvider, **changed: object) -> str:
    """Return a token with a good signature and a header that no library would make."""
    header = {"alg": "RS256", "kid": "rsa", "typ": "at+jwt", **changed}
    content = f"{encoded(header)}.{encoded(provider.claims())}"
    signature = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256).sign(
        content.encode(), provider.keys["rsa"]
    )
    return f"{content}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def with_changed_claims(provider: IdentityProvider) -> str:
    head, _, signature = provider.token().split(".")
    return f"{head}.{encoded(provider.claims(sub='bob'))}.{signature}"


Make = Callable[[IdentityProvider], str]
GOOD: dict[str, Make] = {
    "RS256": lambda idp: idp.token(),
    "RS256 with a header made by hand": with_header,
    "ES256": lambda idp: idp.token("ec"),
    "EdDSA": lambda idp: idp.token("ed"),
    "PS256": lambda idp: jwt.encode(idp.claims(), idp.keys["rsa"], "PS256", {"kid": "rsa"}),
    "several audiences": lambda idp: idp.token(aud=["account", "https://pet.example/mcp"]),
    "without a type": lambda idp: idp.token(headers={"typ": None}),
    "a type with a prefix": lambda idp: idp.token(headers={"typ": "application/at+jwt"}),
    "expired within the leeway": lambda idp: idp.token(exp=int(time.time()) - 30),
    "scopes in scp": lambda idp: idp.token(scope=None, scp=["mcp"]),
}
BAD: dict[str, tuple[str, Make]] = {
    "expired": ("login_expired", lambda idp: idp.token(exp=int(time.time()) - 90)),
    "not valid yet": ("login_expired", lambda idp: idp.token(nbf=int(time.time()) + 90)),
    "wrong issuer": ("login_issuer", lambda idp: idp.token(iss="https://other.example")),
    "issuer with a slash at the end": ("login_issuer", lambda idp: idp.token(iss=f"{idp.url}/")),
    "no audience": ("login_invalid", lambda idp: idp.token(aud=None)),
    "audience that is no address": ("login_audience", lambda idp: idp.token(aud="account")),
    "no user": ("login_invalid", lambda idp: idp.token(sub=None)),
    "no end": ("login_invalid", lambda idp: idp.token(exp=None)),
    "alg none": ("login_invalid", unsigned),
    **{
        f"alg {algorithm}": ("login_invalid", partial(with_header, alg=algorithm))
        for algorithm in ([], {}, ["RS256"], 7, None, True, "")
    },
    "kid that is a list": ("login_invalid", partial(with_header, kid=["rsa"])),
    "typ that is a list": ("login_invalid", partial(with_header, typ=["at+jwt"])),
    "typ that is an object": ("login_invalid", partial(with_header, typ={})),
    "end that is no number": ("login_invalid", lambda idp: idp.token(exp=float("inf"))),
    "user that is no text": ("login_invalid", lambda idp: idp.token(sub=["alice"])),
    "issuer that is no text": ("login_issuer", lambda idp: f"{encoded({'alg': 'RS256'})}.{encoded({'iss': [1]})}.YQ"),
    "HS256 with the public key": ("login_invalid", signed_with_the_public_key),
    "another key": ("login_invalid", signed_by_another_key),
    "changed claims": ("login_invalid", with_changed_claims),
    "unknown key": ("login_invalid", lambda idp: idp.token(headers={"kid": "unknown"})),
    "algorithm of another key": ("login_invalid", lambda idp: idp.token("rsa", {"kid": "ec"})),
    "wrong type": ("login_invalid", lambda idp: idp.token(headers={"typ": "logout+jwt"})),
    "critical extension": ("login_invalid", lambda idp: idp.token(headers={"crit": ["x"], "x": 1})),
    "too long": ("login_invalid", lambda idp: idp.token(padding="x" * 8192)),
    "empty claims": ("login_issuer", lambda idp: "e30.e30.e30"),
    "no JSON": ("login_invalid", lambda idp: "YQ.YQ.YQ"),
    "opaque": ("login_invalid", lambda idp: "0f" * 32),
}


@pytest.mark.parametrize("name", GOOD)
async def test_good_tokens_are_accepted(provider: IdentityProvider, issuer: Issuer, name: str) -> None:
    token = await Verifier([issuer]).verify(GOOD[name](provider))
    assert (token.client, token.scopes) == ("login.alice", ("mcp",))
    assert token.audiences[-1] == "https://pet.example/mcp" or name == "several audiences"


@pytest.mark.parametrize("name", BAD)
async def test_bad_tokens_are_refused(provider: IdentityProvider, issuer: Issuer, name: str) -> None:
    reason, make = BAD[name]
    with pytest.raises(RefusedToken) as refused:
        await Verifier([issuer]).verify(make(provider))
    assert refused.value.reason == reason


async def test_what_nobody_foresaw_is_refused_without_a_word_of_the_token(
    provider: IdentityProvider, issuer: Issuer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise KeyError(provider.token())

    monkeypatch.setattr("dyber_hub.tokens.verifier.accepted", fail)
    with pytest.raises(RefusedToken, match="login_invalid"):
        await Verifier([issuer]).verify(provider.token())
    assert "KeyError" in caplog.text
    assert "eyJ" not in caplog.text


async def test_users_are_configured_clients_by_their_claims(provider: IdentityProvider) -> None:
    users = (User("groups", "admins", "admin"), User("email", "alice@pet.example", "desktop-pet"))
    verifier = Verifier([Issuer(provider.url, "login", scopes=SCOPES, users=users, private_addresses=True)])
    both = await verifier.verify(provider.token(groups=["staff", "admins"], email="alice@pet.example"))
    assert both.client == "admin"
    assert (await verifier.verify(provider.token(email="alice@pet.example"))).client == "desktop-pet"
    for claims in ({"email": "alice@pet.example", "email_verified": False}, {"groups": "staff"}, {}):
        with pytest.raises(RefusedToken) as refused:
            await verifier.verify(provider.token(**claims))
        assert refused.value.reason == "login_user"


async def test_names_of_users_are_safe_and_differ(provider: IdentityProvider, issuer: Issuer) -> None:
    users = ["auth0|1", "auth0_1", "x" * 100, "x" * 101, "名字", "a b\r\nX-Dyber-Scope: all"]
    names = [(await Verifier([issuer]).verify(provider.token(sub=user))).client for user in users]
    assert len(set(names)) == len(users)
    assert all(len(name) <= 64 and name.removeprefix("login.").replace("_", "").isascii() for name in names)
    assert not any(set(name) & set("| \r\n:") for name in names)


async def test_scopes_have_the_names_of_the_identity_provider(provider: IdentityProvider) -> None:
    issuer = Issuer(
        provider.url, "login", scopes={"api://pet/read": "mcp:read"}, other_users="x", private_addresses=True
    )
    assert (await Verifier([issuer]).verify(provider.token(scope="api://pet/read mcp"))).scopes == ("mcp:read",)
    assert (await Verifier([issuer]).verify(provider.token(scope="openid"))).scopes == ()


async def test_a_configured_audience_stands_for_every_address(provider: IdentityProvider) -> None:
    issuer = Issuer(provider.url, "a", frozenset({"account"}), SCOPES, other_users="x", private_addresses=True)
    assert (await Verifier([issuer]).verify(provider.token(aud=["account"]))).audiences == ("*",)


async def test_addresses_are_compared_without_their_usual_port_and_final_slash(
    provider: IdentityProvider, issuer: Issuer
) -> None:
    token = provider.token(aud=["HTTPS://Pet.Example:443/mcp/", "https://pet.example/mcp?x", "http://[::1]:8080/mcp"])
    expected = ("https://pet.example/mcp", "http://[::1]:8080/mcp")
    assert (await Verifier([issuer]).verify(token)).audiences == expected
