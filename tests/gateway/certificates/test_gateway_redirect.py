"""Tests the redirect to HTTPS, Strict-Transport-Security, and the challenges that an authority reads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.rendering.gateway.configuration import render
from infra.settings.gateway import GatewaySettings
from tests.gateway.conftest import started
from tests.gateway.support.docker_cli import CONFINED, LABEL, docker, unique
from tests.gateway.support.gateway_under_test import ALPHA, CLIENT, SETTINGS, TOKEN, GatewayUnderTest, changed

YEAR = 31_536_000
CHALLENGE = "/.well-known/acme-challenge/"
REDIRECTED = changed(SETTINGS, https_redirect=True, port_offset=8000, tls={"hsts_days": 365})


def configure(gateway: GatewayUnderTest, settings: GatewaySettings) -> None:
    gateway.configure(settings, (ALPHA,), (CLIENT,))


@pytest.fixture(scope="module")
def redirecting(gateway_image: str) -> Iterator[GatewayUnderTest]:
    with started(gateway_image) as running:
        running.backend("alpha")
        configure(running, REDIRECTED)
        yield running


@pytest.mark.parametrize(
    ("host", "path", "location"),
    [
        ("localhost", "/", "https://localhost:8443/"),
        ("PET.example:8080", "/api/alpha/mcp?a=%2F&b=1", "https://pet.example:8443/api/alpha/mcp?a=%2F&b=1"),
        ("[::1]:80", "/api/alpha/", "https://[::1]:8443/api/alpha/"),
        ("127.0.0.1", "//evil.example/%0d%0aX-Evil:%201", "https://127.0.0.1:8443//evil.example/%0d%0aX-Evil:%201"),
    ],
)
def test_plain_http_is_redirected_to_https(redirecting: GatewayUnderTest, host: str, path: str, location: str) -> None:
    answer = redirecting.request(path, headers={"Host": host})
    assert (answer.status, answer.headers.get_all("Location")) == (308, [location])
    assert (answer.json()["code"], answer.json()["location"]) == ("use_https", location)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Request-Id"] == answer.json()["request_id"]
    assert answer.headers["X-Evil"] is None


def test_the_default_port_is_left_out(own_gateway: GatewayUnderTest) -> None:
    configure(own_gateway, changed(SETTINGS, https_redirect=True))
    answer = own_gateway.request("/api/alpha/x", headers={"Host": "pet.example:80"})
    assert answer.headers["Location"] == "https://pet.example/api/alpha/x"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
def test_a_redirect_keeps_the_method_and_never_echoes_the_token(redirecting: GatewayUnderTest, method: str) -> None:
    answer = redirecting.request("/api/alpha/mcp", method=method, body=b"{}" if method == "POST" else None)
    assert answer.status == 308
    assert TOKEN not in str(answer.headers) + answer.body.decode()


def test_health_stays_on_plain_http(redirecting: GatewayUnderTest) -> None:
    answer = redirecting.request("/health", token=None)
    assert (answer.status, answer.body) == (200, b"OK\n")


def test_an_unknown_host_is_not_redirected(redirecting: GatewayUnderTest) -> None:
    answer = redirecting.request("/", headers={"Host": "evil.example"})
    assert (answer.status, answer.headers["Location"]) == (421, None)


@pytest.mark.parametrize(("port", "path"), [(443, "/api/alpha/ready"), (8080, "/alpha/ready"), (9000, "/ready")])
def test_the_other_ports_serve_as_before(redirecting: GatewayUnderTest, port: int, path: str) -> None:
    assert redirecting.request(path, port=port).status == 200


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [("/api/alpha/ready", TOKEN, 200), ("/api/alpha/ready", None, 401), ("/nowhere", TOKEN, 404)],
)
def test_every_tls_response_has_strict_transport_security(
    redirecting: GatewayUnderTest, path: str, token: str | None, status: int
) -> None:
    answer = redirecting.request(path, port=443, token=token)
    assert answer.status == status
    assert answer.headers.get_all("Strict-Transport-Security") == [f"max-age={YEAR}"]


@pytest.mark.parametrize(("port", "path"), [(80, "/x"), (80, "/health"), (8080, "/alpha/ready"), (9000, "/ready")])
def test_responses_without_tls_have_no_strict_transport_security(
    redirecting: GatewayUnderTest, port: int, path: str
) -> None:
    assert redirecting.request(path, port=port).headers["Strict-Transport-Security"] is None


def test_there_is_no_strict_transport_security_by_default(gateway: GatewayUnderTest) -> None:
    assert gateway.request("/health", port=443).headers["Strict-Transport-Security"] is None


def prepare_challenge(gateway: GatewayUnderTest, settings: GatewaySettings) -> None:
    """Put a certificate and a challenge where those of an authority would be, then deliver the configuration."""
    name = unique("challenge")
    key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc"
    pem = "/etc/dyber/tls/acme.pem"
    make = (
        "mkdir -p /etc/dyber/acme/challenges && printf proof.of.key > /etc/dyber/acme/challenges/TOKEN_4-711 && "
        f"openssl req -x509 {key} -subj /CN=x -keyout {pem} >/tmp/c && cat /tmp/c >>{pem}"
    )
    docker(
        "run", "--rm", "--name", name, "--label", LABEL, "--network=none", "--volume", f"{gateway.volume}:/etc/dyber",
        *CONFINED, gateway.image, "bash", "-c", make,
    )  # fmt: skip
    loaded = gateway.load(render(settings, (ALPHA,), (CLIENT,)))
    assert loaded.exit_code == 0, loaded.stderr


@pytest.mark.parametrize("https_redirect", [False, True])
def test_the_authority_reads_challenges_on_plain_http_without_a_token(
    own_gateway: GatewayUnderTest, https_redirect: bool
) -> None:
    prepare_challenge(own_gateway, changed(SETTINGS, https_redirect=https_redirect, tls={"source": "acme"}))
    answer = own_gateway.request(f"{CHALLENGE}TOKEN_4-711", token=None, headers={"Host": "pet.example"})
    assert (answer.status, answer.body) == (200, b"proof.of.key")
    assert answer.headers["Content-Type"] == "text/plain"
    for wrong_path in ("", "OTHER", "../../current/nginx.conf", "%2e%2e/%2e%2e/tls/acme.pem", "TOKEN_4-711/"):
        assert own_gateway.request(CHALLENGE + wrong_path, token=None).status in (308, 404)
    assert own_gateway.request(f"{CHALLENGE}TOKEN_4-711", headers={"Host": "evil.example"}).status == 421


def test_challenges_are_not_served_without_acme(gateway: GatewayUnderTest) -> None:
    assert gateway.request(f"{CHALLENGE}TOKEN_4-711", token=None).json()["code"] == "not_found"
