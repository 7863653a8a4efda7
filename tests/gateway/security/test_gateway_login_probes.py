"""Tests clients that look for a login: they get 404 at once, and this does not count as a guessed token."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateway.conftest import started
from tests.gateway.support.gateway_under_test import (
    ALPHA,
    CLIENT,
    OTHER_TOKEN,
    SETTINGS,
    TOKEN,
    GatewayUnderTest,
    changed,
)

ENTRANCES = [(80, "/api/alpha"), (443, "/api/alpha"), (8080, "/api/alpha"), (8080, "/alpha"), (9000, "")]
DISCOVERY = [
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/mcp",
    "/.well-known/oauth-authorization-server",
    "/mcp/.well-known/oauth-authorization-server",
    "/mcp/.well-known/openid-configuration",
    "/.well-known/openid-configuration",
]
LOGIN = ["/register", "/token", "/authorize", "/mcp/register", "/mcp/token/", "/mcp/sse/register"]
AT_THE_ROOT = [(port, path) for port in (80, 443, 8080) for path in (*DISCOVERY, "/register", "/token", "/authorize")]
BELOW_A_SERVICE = [(port, prefix + path) for port, prefix in ENTRANCES for path in (*DISCOVERY, *LOGIN)]
REFUSED_PER_MINUTE = 5


@pytest.fixture(scope="module")
def strict(gateway_image: str) -> Iterator[GatewayUnderTest]:
    with started(gateway_image) as running:
        running.backend("alpha")
        running.configure(changed(SETTINGS, limits={"refused_per_minute": REFUSED_PER_MINUTE}), (ALPHA,), (CLIENT,))
        yield running


def test_probes_get_404_and_do_not_count_as_guesses(strict: GatewayUnderTest) -> None:
    for number, (port, path) in enumerate(AT_THE_ROOT + BELOW_A_SERVICE):
        method = "GET" if ".well-known" in path or "authorize" in path else "POST"
        token = (None, OTHER_TOKEN)[number % 2]
        answer = strict.request(path, port=port, method=method, token=token, body=b"{}" if method == "POST" else None)
        assert (answer.status, answer.headers["Content-Type"]) == (404, "application/json"), (port, path)
        assert isinstance(answer.json()["error"], str)
        assert answer.json()["code"] == "no_oauth"
        assert answer.headers["WWW-Authenticate"] is None
    for port, prefix in ENTRANCES[:REFUSED_PER_MINUTE]:
        assert strict.request(f"{prefix}/mcp", port=port, method="POST", token=OTHER_TOKEN).status == 401
    assert strict.request("/api/alpha/mcp", method="POST", token=OTHER_TOKEN).status == 429


@pytest.mark.parametrize("path", LOGIN)
def test_an_address_of_a_service_that_looks_like_a_login_is_open_to_permitted_clients(
    strict: GatewayUnderTest, path: str
) -> None:
    assert strict.seen(f"/api/alpha{path}", method="POST", token=TOKEN)["uri"] == path


def test_probes_get_404_on_plain_http_that_redirects_to_https(own_gateway: GatewayUnderTest) -> None:
    own_gateway.configure(changed(SETTINGS, https_redirect=True, port_offset=8000), (ALPHA,), (CLIENT,))
    answer = own_gateway.request("/.well-known/oauth-protected-resource/api/alpha/mcp", token=None)
    assert (answer.status, answer.json()["code"]) == (404, "no_oauth")
