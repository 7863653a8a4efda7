"""Tests of a GitHub Enterprise Server whose certificate is signed by an authority of its organisation."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.stand_in.platforms.github.site import TOKEN, create_github
from tests.stand_in.running import free_port, running

from github_server.config import GitHubSettings


def certificate_and_key() -> tuple[bytes, bytes]:
    """Return a certificate for 127.0.0.1 that is its own authority, and its key, both as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Corp")])
    today = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM), private


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return the address of a GitHub with such a certificate, and the file with the certificate."""
    folder: Path = tmp_path_factory.mktemp("corp")
    certificate, key = certificate_and_key()
    (folder / "ca.pem").write_bytes(certificate)
    (folder / "key.pem").write_bytes(key)
    config = uvicorn.Config(
        create_github(),
        port=free_port(),
        log_level="warning",
        ssl_certfile=folder / "ca.pem",
        ssl_keyfile=folder / "key.pem",
        # Clients of these tests keep their connections, and a server waits for them when it stops.
        timeout_graceful_shutdown=1,
    )
    with running(uvicorn.Server(config)) as base:
        yield base.replace("http:", "https:"), folder / "ca.pem"


async def test_a_server_with_a_certificate_of_an_unknown_authority_is_not_trusted(make, refused, server):
    text = await refused("get_user", app=make(api_url=server[0]), user="octocat")
    assert text.startswith("UPSTREAM_UNREACHABLE：") and TOKEN not in text


@pytest.mark.parametrize("variable", ["GITHUB_CA", "GITHUB_CA_FILE"])
async def test_the_authority_of_an_enterprise_server_is_trusted_when_it_is_set(
    make, ask, server, monkeypatch, variable
):
    address, file = server
    monkeypatch.setenv(variable, file.read_text() if variable == "GITHUB_CA" else str(file))
    certificates = GitHubSettings.from_environment().certificates
    app = make(api_url=address, certificates=certificates)
    assert (await ask("get_user", app=app, user="octocat"))["login"] == "octocat"
    assert (await ask("list_trending", app=app))["source"] == "web"
