"""Builds the addresses that clients must use: for clients in containers on this machine, and over HTTPS."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from stack.gateway_model import CONTAINER_NAMES

from cli.stack import StackError
from toolchain.language import tr

#: What a container calls the machine that it runs on. Docker on Linux needs --add-host for it.
CONTAINER_HOST = CONTAINER_NAMES[0]
_TIMEOUT_SECONDS = 5.0


def is_loopback(url: str) -> bool:
    """Tell whether only programs on this machine, outside of containers, can use the URL."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def for_containers(services: Mapping[str, Any]) -> dict[str, Any]:
    """Return the services with addresses that a container on this machine can reach: loopback addresses are replaced,
    as they mean the container itself there."""
    return {
        name: {
            key: _seen_from_a_container(value) if key in ("url", "mcp", "sse") else value for key, value in one.items()
        }
        for name, one in services.items()
    }


def _seen_from_a_container(url: str) -> str:
    if not is_loopback(url):
        return url
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return parts._replace(netloc=f"{CONTAINER_HOST}{port}").geturl()


def container_hint(bind: str, option: str = "") -> str:
    """Return what a client in a container needs besides its configuration if the gateway listens on `bind`.

    `option` names the stack in commands.
    """
    add_host = tr(
        f"Linux 上启动容器时加 --add-host {CONTAINER_HOST}:host-gateway（Docker Desktop 自带）",
        f"on Linux start the container with --add-host {CONTAINER_HOST}:host-gateway (Docker Desktop has it)",
    )
    if not ipaddress.ip_address(bind).is_loopback:
        return add_host
    return (
        tr(
            f"网关现在只在 {bind} 监听，Linux 上的容器够不着：./deploy.sh config set gateway.bind 172.17.0.1{option}"
            f"（docker0 的地址，只有本机和它的容器够得着），再 ./deploy.sh{option}；",
            f"the gateway listens on {bind} only, where containers on Linux cannot reach it: ./deploy.sh config set "
            f"gateway.bind 172.17.0.1{option} (the address of docker0, which only this machine and its containers reach), "
            f"then ./deploy.sh{option}; ",
        )
        + add_host
    )


def trust_hint(gateway: Mapping[str, Any], option: str = "") -> str | None:
    """Return how to make clients trust a self-signed certificate; None if the addresses do not need that."""
    if gateway.get("url") != gateway["https"] or gateway.get("certificate") != "self-signed":
        return None
    return tr(
        f"证书是自签名的，客户端要先信任它：./deploy.sh clients --certificate{option} > dyber.pem，然后 "
        "NODE_EXTRA_CA_CERTS=dyber.pem（Node.js 的客户端）、SSL_CERT_FILE=dyber.pem（Python、Codex），"
        "或装进系统的证书库",
        "the certificate is self-signed, so clients must be told to trust it: ./deploy.sh clients "
        f"--certificate{option} > dyber.pem, then NODE_EXTRA_CA_CERTS=dyber.pem (clients on Node.js), "
        "SSL_CERT_FILE=dyber.pem (Python, Codex), or add it to the system's certificates",
    )


def certificate(gateway: Mapping[str, Any]) -> str:
    """Return the certificate that the gateway serves, as PEM. Raises StackError when the gateway does not answer."""
    parts = urlsplit(gateway["https"])
    address = (str(parts.hostname), parts.port or 443)
    try:
        return ssl.get_server_certificate(address, timeout=_TIMEOUT_SECONDS)
    except (OSError, ValueError) as error:
        raise StackError(
            tr(
                f"从 {gateway['https']} 取不到证书：{error}",
                f"the certificate of {gateway['https']} cannot be read: {error}",
            ),
            tr("网关在运行吗：./deploy.sh status", "is the gateway running: ./deploy.sh status"),
        ) from None
