"""Callers with access tokens of an identity provider: who may call what, and what the others are told."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable

import jwt
import pytest

from tests.gateway.support import http2_call
from tests.gateway.support.gateway_under_test import OTHER_TOKEN, TOKEN, Answer
from tests.gateway.support.logins import EVERYWHERE, MODERN, Logins
from tests.stand_in.identity_provider import make_key

METADATA = "/.well-known/oauth-protected-resource"
Make = Callable[[Logins], str]
#: By case, a token and the reason of its refusal; None: it is accepted.
TOKENS: dict[str, tuple[str | None, Make]] = {
    "good": (None, lambda at: at.token()),
    "audiences in a list": (None, lambda at: at.token(aud=["account", f"{at.base}/api/alpha/mcp"])),
    "address of the old transport": (None, lambda at: at.token(aud=f"{at.base}/api/alpha/mcp/sse")),
    "expired": ("login_expired", lambda at: at.token(exp=int(time.time()) - 90)),
    "not valid yet": ("login_expired", lambda at: at.token(nbf=int(time.time()) + 90)),
    "wrong issuer": ("login_issuer", lambda at: at.token(iss="https://other.example")),
    "no audience": ("login_invalid", lambda at: at.token(aud=None)),
    "audience of the hub": ("login_audience", lambda at: at.token("/mcp")),
    "audience of another service": ("login_audience", lambda at: at.token("/api/beta/mcp")),
    "audience of another host": ("login_audience", lambda at: at.token(aud="https://evil.example/api/alpha/mcp")),
    "audience that begins alike": ("login_audience", lambda at: at.token("/api/alpha/mcp2")),
    "alg none": ("login_invalid", lambda at: jwt.encode(at.provider.claims(), None, "none", {"kid": "rsa"})),
    "shared secret": ("login_invalid", lambda at: jwt.encode(at.provider.claims(), "s" * 64, "HS256", {"kid": "rsa"})),
    "another key": (
        "login_invalid",
        lambda at: jwt.encode(at.provider.claims(), make_key("rsa"), "RS256", {"kid": "rsa"}),
    ),
    "unknown key": ("login_invalid", lambda at: at.token(headers={"kid": "unknown"})),
    "wrong type": ("login_invalid", lambda at: at.token(headers={"typ": "logout+jwt"})),
    "a token of nobody": ("unknown_token", lambda at: OTHER_TOKEN),
}


def headers_seen(answer: Answer) -> dict[str, str]:
    assert answer.status == 200, answer.body
    return {name.lower(): value for name, value in answer.json()["headers"].items()}


def parameters(answer: Answer) -> dict[str, str]:
    """Return the parameters of the only challenge."""
    (challenge,) = answer.headers.get_all("WWW-Authenticate")
    scheme, _, rest = challenge.partition(" ")
    assert scheme == "Bearer"
    return {name: value.strip('"') for name, value in (part.split("=", 1) for part in rest.split(", "))}


def test_the_first_call_with_a_good_token_reaches_the_service_and_the_token_does_not(logins: Logins) -> None:
    token = logins.token(sub="first")
    for _ in range(2):
        answer = logins.call(token)
        seen = headers_seen(answer)
        assert (seen["x-dyber-client"], seen["x-dyber-scope"]) == ("login.first", "all")
        assert "authorization" not in seen
        assert token not in answer.body.decode()


@pytest.mark.parametrize("name", TOKENS)
def test_tokens_are_accepted_or_refused_with_a_challenge(logins: Logins, name: str) -> None:
    reason, make = TOKENS[name]
    token = make(logins)
    for _ in range(2):
        answer = logins.call(token)
        if reason is None:
            assert headers_seen(answer)["x-dyber-client"] == "login.alice"
            continue
        assert (answer.status, answer.json()["reason"]) == (401, reason)
        told = parameters(answer)
        assert told.pop("error_description")
        assert told == {
            "error": "invalid_token",
            "resource_metadata": f"{logins.base}{METADATA}/api/alpha/mcp",
            "scope": "alpha",
        }


def test_without_a_token_the_challenge_has_no_error(logins: Logins) -> None:
    answer = logins.post(None)
    assert answer.status == 401
    assert parameters(answer) == {
        "resource_metadata": f"{logins.base}{METADATA}/api/alpha/mcp",
        "scope": "alpha",
    }


def test_a_token_in_the_address_is_refused(logins: Logins) -> None:
    answer = logins.post(None, f"/api/alpha/mcp?access_token={logins.token()}")
    assert (answer.status, answer.json()["reason"]) == (401, "query_token")


def test_two_tokens_in_a_request_are_malformed(logins: Logins) -> None:
    connection = logins.gateway.connect(80)
    connection.putrequest("POST", "/api/alpha/mcp")
    for token in (logins.token(), TOKEN):
        connection.putheader("Authorization", f"Bearer {token}")
    connection.putheader("Content-Length", "0")
    connection.endheaders()
    assert connection.getresponse().status == 400
    connection.close()


def test_a_token_that_is_longer_than_any_header_is_refused(logins: Logins) -> None:
    assert logins.call(logins.token(padding="x" * 5000)).status == 200
    assert logins.call(logins.token(padding="x" * 6500)).status == 431


def test_tokens_of_configured_clients_stay_valid(logins: Logins) -> None:
    seen = headers_seen(logins.call(TOKEN))
    assert (seen["x-dyber-client"], seen["x-dyber-scope"]) == ("desktop-pet", "all")
    seen = headers_seen(logins.call("reader", "alpha_read"))
    assert (seen["x-dyber-client"], seen["x-dyber-scope"]) == ("reader", "read")
    refused = logins.call("reader", "alpha_write")
    assert (refused.status, refused.json()["code"]) == (403, "forbidden")
    assert refused.headers["WWW-Authenticate"] is None


@pytest.mark.parametrize(
    ("scopes", "tool", "needed"),
    [
        ("alpha:read", "alpha_read", None),
        ("mcp:read", "alpha_read", None),
        ("openid alpha", "alpha_write", None),
        ("alpha:read", "alpha_write", "alpha"),
        ("mcp:read", "alpha_write", "alpha"),
        ("openid", "alpha_read", "alpha:read"),
        ("beta", "alpha_read", "alpha:read"),
        ("openid", "alpha_write", "alpha"),
    ],
)
def test_a_token_allows_what_its_scopes_say(logins: Logins, scopes: str, tool: str, needed: str | None) -> None:
    answer = logins.call(logins.token(scope=scopes), tool)
    if needed is None:
        assert headers_seen(answer)["x-dyber-scope"] == ("read" if "read" in scopes else "all")
        return
    assert (answer.status, answer.json()["code"], answer.json()["scope"]) == (403, "insufficient_scope", needed)
    told = parameters(answer)
    assert told.pop("error_description")
    assert told == {
        "error": "insufficient_scope",
        "resource_metadata": f"{logins.base}{METADATA}/api/alpha/mcp",
        "scope": needed,
    }


def test_a_user_who_is_a_client_has_its_name_and_no_more_than_its_permissions(logins: Logins) -> None:
    token = logins.token(groups=["readers"])
    seen = headers_seen(logins.call(token, "alpha_read"))
    assert (seen["x-dyber-client"], seen["x-dyber-scope"]) == ("reader", "read")
    refused = logins.call(token, "alpha_write")
    # Another scope would not help, so the client is not sent to the identity provider again.
    assert (refused.status, refused.json()["code"]) == (403, "forbidden")
    assert refused.headers["WWW-Authenticate"] is None


def test_older_clients_are_limited_by_the_scope_that_the_service_is_told(logins: Logins) -> None:
    answer = logins.post(logins.token(scope="alpha"))
    assert headers_seen(answer)["x-dyber-scope"] == "all"
    # `alpha` does not enforce scopes here, so a call whose tool the gateway cannot see is refused.
    assert logins.post(logins.token(scope="alpha:read")).json()["code"] == "insufficient_scope"


def test_a_configured_audience_stands_for_every_address(logins: Logins) -> None:
    for port, path in ((443, "/api/alpha/mcp"), (8080, "/alpha/mcp"), (8080, "/api/alpha/x"), (9000, "/mcp")):
        tokens = [logins.token(aud=audience, jti=f"{port}{path}") for audience in (EVERYWHERE, "another")]
        statuses = [
            logins.gateway.request(path, port=port, method="POST", token=token, body=b"{}", headers=MODERN).status
            for token in tokens
        ]
        assert statuses == [200, 401]


def test_the_first_call_by_http_2_is_as_any_other(logins: Logins) -> None:
    for number, method in enumerate(("GET", "POST")):
        token = logins.token(aud=EVERYWHERE, jti=f"h2 {number}")
        body = b"" if method == "GET" else b"x" * 60_000
        arrived = json.loads(http2_call.call(logins.gateway.port(80), method, "/api/alpha/x", token, body))
        assert (arrived["method"], arrived["uri"], arrived["body"]) == (method, "/x", body.decode())


def test_callers_cannot_name_themselves(logins: Logins) -> None:
    claimed = {"X-Dyber-Client": "admin", "X-Dyber-Scope": "all", "X-Dyber-Tool": "x"}
    seen = headers_seen(logins.call(logins.token(scope="alpha:read"), "alpha_read", claimed))
    assert (seen["x-dyber-client"], seen["x-dyber-scope"]) == ("login.alice", "read")


def test_the_first_call_arrives_unchanged(logins: Logins) -> None:
    body = json.dumps({"text": base64.b64encode(bytes(range(256)) * 500).decode()}).encode()
    for path in ("/api/alpha/a%3Fb%2520c%2Fd/%E5%90%8D?x=%26&y=%zz", "/api/alpha/./x/../y", "/api/alpha/x%0Ay"):
        seen = []
        for token in (logins.token(), TOKEN):
            answer = logins.gateway.request(path, method="POST", token=token, body=body, headers=MODERN)
            headers_seen(answer)
            arrived = answer.json()
            seen.append((arrived["uri"], arrived["method"], arrived["body"]))
        assert seen[0] == seen[1]
        assert seen[0][2] == body.decode()


def test_the_first_call_may_send_its_body_in_chunks(logins: Logins) -> None:
    connection = logins.gateway.connect(80)
    authorization = {"Authorization": f"Bearer {logins.token()}"}
    parts = [b"x" * 1000 for _ in range(200)]
    connection.request("POST", "/api/alpha/mcp", body=iter(parts), headers=authorization, encode_chunked=True)
    response = connection.getresponse()
    assert json.loads(response.read())["body"] == "x" * 200_000
    connection.close()


def test_the_log_and_the_metrics_name_the_caller_and_not_the_token(logins: Logins) -> None:
    token = logins.token(sub="logged")
    answer = logins.call(token)
    entry = logins.gateway.logged(answer.headers["X-Request-Id"])
    assert (entry["client"], entry["status"], entry["service"]) == ("login.logged", 200, "alpha")
    lines, errors = logins.gateway.logs()
    signature = token.rpartition(".")[2]
    assert signature not in errors + json.dumps(lines)
    metrics = logins.gateway.request("/metrics").body.decode()
    assert 'service="alpha",client="desktop-pet",status="200"' in metrics
    assert "login." not in metrics
