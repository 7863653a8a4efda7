"""Builds the addresses that clients must use: for clients in containers on this machine, and over HTTPS."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from cli.engine import engine, processes
from cli.system.errors import StackError
from infra.rendering.gateway.configuration import CONFIGURATION_ROOT
from infra.settings.gateway import CONTAINER_NAMES
from messages import tr

#: The host name by which a container reaches the machine it runs on. Docker on Linux needs --add-host for it.
CONTAINER_HOST = CONTAINER_NAMES[0]
#: The folder of the certificates in the gateway's container.
_CERTIFICATES = f"{CONFIGURATION_ROOT}/tls"


def is_loopback(url: str) -> bool:
    """Tell whether only programs on this machine, outside containers, can use the URL."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def for_containers(services: Mapping[str, Any]) -> dict[str, Any]:
    """Return the services with addresses that a container on this machine can reach.

    Loopback addresses are replaced, as in a container they mean the container itself.
    """
    return {
        name: {key: _for_container(value) if key in ("url", "mcp", "sse") else value for key, value in service.items()}
        for name, service in services.items()
    }


def _for_container(url: str) -> str:
    if not is_loopback(url):
        return url
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return parts._replace(netloc=f"{CONTAINER_HOST}{port}").geturl()


def container_hint(bind: str, option: str = "") -> str:
    """Return what a client in a container needs besides its configuration if the gateway listens on `bind`.

    `option` selects the stack in suggested commands.
    """
    add_host = tr(
        "on Linux start the container with --add-host {container_host}:host-gateway (Docker Desktop has it)",
        container_host=CONTAINER_HOST,
    )
    if not ipaddress.ip_address(bind).is_loopback:
        return add_host
    return (
        tr(
            "the gateway listens on {bind} only, which containers on Linux cannot reach: ./deploy.sh config "
            "set gateway.bind 172.17.0.1{option} (the address of docker0, which only this machine and its "
            "containers reach), then ./deploy.sh{option}; ",
            bind=bind,
            option=option,
        )
        + add_host
    )


def trust_hint(gateway: Mapping[str, Any], option: str = "") -> str | None:
    """Return how to make clients trust a self-signed certificate; None if the addresses do not need that."""
    if gateway.get("url") != gateway["https"] or gateway.get("certificate") != "self-signed":
        return None
    return tr(
        "the certificate is self-signed, so clients must be configured to trust it: ./deploy.sh clients "
        "--certificate{option} > dyber.pem, then NODE_EXTRA_CA_CERTS=dyber.pem (clients on Node.js), "
        "SSL_CERT_FILE=dyber.pem (Python, Codex), or add it to the system's certificates",
        option=option,
    )


def certificate(gateway: Mapping[str, Any], deployment: str) -> str:
    """Return the certificate that clients must trust, as PEM, read from the gateway's container.

    For a self-signed certificate this is its authority, else the last certificate of the chain. `deployment` is the
    label value of the stack's containers. Raises StackError if no gateway runs, and EngineError.
    """
    running = engine.containers(engine.deployment_filter(deployment), "label=dyber.service=gateway", all_states=False)
    if not running:
        raise StackError(
            tr("the gateway is not running, so its certificate cannot be read"),
            tr("see ./deploy.sh status; then ./deploy.sh"),
        )
    source = gateway["certificate"]
    file = f"{_CERTIFICATES}/{'gateway.crt' if source == 'self-signed' else f'{source}.pem'}"
    # These files hold private keys as well, which stay in the container.
    only_certificates = "/-BEGIN CERTIFICATE-/,/-END CERTIFICATE-/p"
    certificates = processes.execute(running[0]["Id"], ["sed", "-n", only_certificates, file])
    begins = certificates.rfind("-----BEGIN CERTIFICATE-----")
    if begins < 0:
        raise StackError(
            tr("there is no certificate in {file} of the gateway's container", file=file),
            tr("see ./deploy.sh logs gateway; then ./deploy.sh"),
        )
    return certificates[begins:]


def public_authority_hint(gateway: Mapping[str, Any]) -> str | None:
    """Return a hint that clients may already trust the certificate; None for a self-signed certificate."""
    if gateway["certificate"] == "self-signed":
        return None
    return tr(
        "this is the last certificate of the gateway's chain; clients already trust public authorities, "
        "so only that of a private authority has to be added"
    )
