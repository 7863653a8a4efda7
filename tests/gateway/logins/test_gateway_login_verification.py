"""When the gateway has tokens verified, what it remembers, and what happens while the hub is away."""

from __future__ import annotations

import http.client
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.conftest import started
from tests.gateway.support.docker_cli import docker, wait_until
from tests.gateway.support.gateway_under_test import TOKEN
from tests.gateway.support.logins import HUB_TOKEN, Logins, logins_of
from tests.stand_in.identity_provider import INTROSPECTION_PASSWORD, IdentityProvider


@pytest.fixture
def limited(logins: Logins) -> Iterator[Logins]:
    """A gateway with low limits."""
    low = {"refused_per_minute": 3, "streams_per_client": 1, "burst": 2}
    logins.deliver(requests_per_second=1, limits=logins.settings.limits.model_copy(update=low))
    yield logins
    logins.deliver()


def readable(connection: http.client.HTTPConnection) -> bool:
    return bool(select.select([connection.sock], [], [], 0)[0])


def hub_container(logins: Logins) -> str:
    return next(name for name in logins.gateway.others if "relay" in name)


def test_nobody_is_verified_while_the_hub_is_away_and_callers_are_asked_to_wait(logins: Logins) -> None:
    known, new = logins.token(sub="known"), logins.token(sub="new")
    assert logins.call(known).status == 200
    docker("pause", hub_container(logins))
    try:
        assert logins.call(known).status == 200
        assert logins.call(TOKEN).status == 200
        answer = logins.call(new)
        assert (answer.status, answer.json()["code"]) == (503, "login_unavailable")
        assert answer.headers["Retry-After"]
        assert answer.headers["WWW-Authenticate"] is None
    finally:
        docker("unpause", hub_container(logins))
    assert logins.call(new).status == 200
    assert "exited on signal" not in logins.gateway.logs()[1]


def test_callers_who_leave_while_their_token_is_verified_do_no_harm(logins: Logins) -> None:
    docker("pause", hub_container(logins))
    try:
        connections = [logins.gateway.connect(80) for _ in range(5)]
        for number, connection in enumerate(connections):
            token = logins.token(sub="leaver", jti=str(number))
            body = b"x" * 50_000 if number % 2 else b"{}"
            connection.request("POST", "/api/alpha/mcp", body, {"Authorization": f"Bearer {token}"})
        time.sleep(1)
        for connection in connections:
            connection.close()
        # Those who stay are answered when the time for their questions is over.
        assert logins.call(logins.token(sub="stayer")).status == 503
    finally:
        docker("unpause", hub_container(logins))
    assert logins.call(logins.token(sub="stayer")).status == 200
    assert "exited on signal" not in logins.gateway.logs()[1]


def test_the_identity_provider_without_an_answer_is_no_reason_to_log_in_again(
    gateway_image: str, provider: IdentityProvider
) -> None:
    provider.failing = True
    try:
        with started(gateway_image) as gateway:
            gateway.backend("alpha")
            with logins_of(gateway, provider) as logins:
                assert logins.call(logins.token()).json()["code"] == "login_unavailable"
                provider.failing = False
                wait_until(lambda: logins.call(logins.token()).status == 200, "the token is accepted")
    finally:
        provider.failing = False


def test_a_token_is_accepted_until_it_expires(logins: Logins) -> None:
    # The verifier allows clocks to differ by 60 s.
    token = logins.token(exp=int(time.time()) - 57)
    assert logins.call(token).status == 200
    wait_until(lambda: logins.call(token).status == 401, "the token has expired")
    assert logins.call(token).json()["reason"] == "login_expired"


def test_the_limits_of_a_caller_count_from_the_first_call(limited: Logins) -> None:
    statuses = [limited.call(limited.token(sub="busy", jti=str(number))).status for number in range(12)]
    assert statuses[:3] == [200, 200, 200]
    assert 429 in statuses
    assert limited.call(limited.token(sub="calm")).status == 200


def test_streams_count_from_the_first_call(limited: Logins) -> None:
    path = "/api/hung/mcp/sse"
    tokens = [limited.token("/api/hung/mcp", sub="listener", jti=str(number)) for number in range(3)]
    connections = [limited.gateway.connect(80) for _ in tokens]
    for connection, token in zip(connections, tokens, strict=True):
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    # A stream is allowed, on which the service sends nothing; the others are answered.
    wait_until(lambda: sum(map(readable, connections)) == 2, "two streams are refused")
    answers = [connection.getresponse() for connection in connections if readable(connection)]
    assert [answer.status for answer in answers] == [429, 429]
    for connection in connections:
        connection.close()


def test_guessed_tokens_are_limited_and_no_longer_verified(limited: Logins) -> None:
    tokens = [limited.token(exp=1, jti=str(number)) for number in range(6)]
    statuses = [limited.call(token).status for token in tokens]
    assert statuses[0] == 401
    assert statuses[-1] == 429


def test_only_the_gateway_may_ask_the_hub(logins: Logins) -> None:
    ask = (
        "exec 3<>/dev/tcp/hub/8070; printf 'POST /internal/tokens HTTP/1.0\\r\\nAuthorization: Bearer %s\\r\\n"
        'Content-Length: 13\\r\\n\\r\\n{"token":"x"}\' "$0" >&3; head -1 <&3'
    )
    command = ["docker", "exec", logins.gateway.name, "bash", "-c", ask, HUB_TOKEN]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert " 403 " in answer.stdout
    assert logins.gateway.request("/internal/tokens", method="POST", body=b"{}").status == 404
    assert logins.gateway.request("/-/gateway/token/api/alpha/mcp", method="POST", body=b"{}").status == 404


def test_tokens_that_are_no_jwt_are_looked_up_at_the_identity_provider(
    gateway_image: str, provider: IdentityProvider, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(INTROSPECTION_PASSWORD)
    with started(gateway_image) as gateway:
        gateway.backend("alpha")
        with logins_of(gateway, provider, secret) as logins:
            audience = f"{logins.base}/api/alpha/mcp"
            provider.known = {"opaque-token": {**provider.claims(aud=audience), "active": True}}
            for _ in range(3):
                assert logins.call("opaque-token").status == 200
                assert logins.call("another-token").status == 401
                assert logins.call(TOKEN).status == 200
            assert provider.requests.count("/realms/pet/introspect") == 2
