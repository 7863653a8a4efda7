"""Fetches the gateway's /api/status from its port on this machine."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

import httpx2

from infra.parts import published_ports
from infra.services.ports import DEVELOPMENT_PORT
from infra.settings.stack import StackSettings

TIMEOUT_SECONDS = 5.0


def address(settings: StackSettings) -> str:
    """Return the base URL of the gateway's plain HTTP port on this machine."""
    port, addresses = published_ports.published_ports(settings, [])[DEVELOPMENT_PORT]
    bind = ipaddress.ip_address(addresses[0])
    if bind.is_unspecified:
        bind = ipaddress.ip_address("::1" if bind.version == 6 else "127.0.0.1")
    return f"http://[{bind}]:{port}" if bind.version == 6 else f"http://{bind}:{port}"


def details(status: Mapping[str, Any] | None) -> dict[str, Mapping[str, Any]]:
    """Return what a document of /api/status says of each service and of the hub, by name; nothing without a document.

    A gateway without a hub has no `hub` in its document.
    """
    if status is None:
        return {}
    return {**status.get("details", {}), **({"hub": status["hub"]} if status.get("hub") else {})}


def fetch(settings: StackSettings) -> dict[str, Any] | None:
    """Return the document of /api/status; None if the gateway does not answer with it."""
    try:
        # Every gateway accepts the host localhost. Proxies are not used, as they cannot reach this machine. For HTTP
        # the client need not read the certificates of all authorities, which takes 30 ms.
        with httpx2.Client(timeout=TIMEOUT_SECONDS, trust_env=False, verify=False) as client:
            response = client.get(f"{address(settings)}/api/status", headers={"Host": "localhost"})
        return dict(response.json()) if response.status_code == 200 else None
    except (httpx2.HTTPError, ValueError):
        return None
