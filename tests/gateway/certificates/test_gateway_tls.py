"""Tests TLS of the gateway with the self-signed certificate, verified as by a client."""

from __future__ import annotations

import socket
import ssl

import pytest

from infra.settings.gateway import GatewaySettings
from tests.gateway.support.docker_cli import docker
from tests.gateway.support.gateway_under_test import ALPHA, GatewayUnderTest


def certificate(gateway: GatewayUnderTest) -> str:
    """Return the certificate that clients trust."""
    return docker("exec", gateway.name, "cat", "/etc/dyber/tls/gateway.crt")


def handshake(gateway: GatewayUnderTest, name: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    connection = socket.create_connection(("127.0.0.1", gateway.port(443)), timeout=20)
    return context.wrap_socket(connection, server_hostname=name)


def strict(gateway: GatewayUnderTest) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=certificate(gateway))
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def negotiated_key(gateway: GatewayUnderTest, curves: str) -> str:
    """Return OpenSSL's line on the key exchange of a client with these curves; empty if there is none."""
    script = f"openssl s_client -connect 127.0.0.1:443 -servername localhost -groups {curves} </dev/null 2>&1 || true"
    lines = docker("exec", gateway.name, "bash", "-c", script).splitlines()
    return next((line for line in lines if "Temp Key" in line), "")


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "pet.example"])
def test_every_server_name_is_in_the_certificate(gateway: GatewayUnderTest, name: str) -> None:
    with handshake(gateway, name, strict(gateway)) as connection:
        assert connection.version() == "TLSv1.3"


def test_another_name_is_not_in_the_certificate(gateway: GatewayUnderTest) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(gateway, "evil.example", strict(gateway))


def test_http2_is_offered(gateway: GatewayUnderTest) -> None:
    context = strict(gateway)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with handshake(gateway, "localhost", context) as connection:
        assert connection.selected_alpn_protocol() == "h2"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_tls_is_refused(gateway: GatewayUnderTest) -> None:
    context = strict(gateway)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        handshake(gateway, "localhost", context)


@pytest.mark.parametrize("curve", ["X25519", "prime256v1", "secp384r1"])
def test_a_client_that_knows_one_of_the_curves_is_served(gateway: GatewayUnderTest, curve: str) -> None:
    assert curve in negotiated_key(gateway, curve)


@pytest.mark.parametrize("curve", ["secp521r1", "X448", "brainpoolP256r1", "ffdhe2048"])
def test_other_curves_are_not_used(gateway: GatewayUnderTest, curve: str) -> None:
    assert negotiated_key(gateway, curve) == ""


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_returning_client_resumes_its_session(gateway: GatewayUnderTest, version: ssl.TLSVersion) -> None:
    context = strict(gateway)
    context.minimum_version = context.maximum_version = version
    with handshake(gateway, "localhost", context) as first:
        # TLS 1.3 sends the session after the handshake.
        first.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        first.recv(1000)
        session = first.session
    connection = socket.create_connection(("127.0.0.1", gateway.port(443)), timeout=20)
    with context.wrap_socket(connection, server_hostname="localhost", session=session) as second:
        assert second.session_reused


def test_a_cipher_without_forward_secrecy_is_refused(gateway: GatewayUnderTest) -> None:
    context = strict(gateway)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA256")
    with pytest.raises(ssl.SSLError):
        handshake(gateway, "localhost", context)


def test_only_the_gateway_can_read_the_key(gateway: GatewayUnderTest) -> None:
    listing = docker("exec", gateway.name, "bash", "-c", "stat --format='%a %u %n' /etc/dyber/tls/*")
    modes = {name.rsplit(".", 1)[1]: (mode, owner) for mode, owner, name in map(str.split, listing.splitlines())}
    assert modes == {"pem": ("600", "20080"), "crt": ("644", "20080"), "chain": ("644", "20080")}
    assert "PRIVATE KEY" not in certificate(gateway)


def test_the_certificate_stays_until_the_names_change(own_gateway: GatewayUnderTest) -> None:
    own_gateway.configure(GatewaySettings(server_names=("one.example",)), (ALPHA,))
    first = certificate(own_gateway)
    own_gateway.configure(GatewaySettings(server_names=("one.example",)), ())
    assert certificate(own_gateway) == first
    own_gateway.configure(GatewaySettings(server_names=("one.example", "two.example")), ())
    assert certificate(own_gateway) != first
    with handshake(own_gateway, "two.example", strict(own_gateway)) as connection:
        assert connection.version() == "TLSv1.3"
