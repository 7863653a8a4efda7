"""Decides what the console may call as a client of the gateway."""

from __future__ import annotations

from collections.abc import Iterable

from infra.rendering.gateway.model import GatewayClient, Scope
from infra.services.catalog import ServiceSpec
from infra.settings.names import CONSOLE_CLIENT

#: The ends of the names of the tools with which a person logs a service in by QR code
#: (console/dyber_console/tools/logins.py).
LOGIN_TOOLS = ("_login_status", "_login_qrcode")


def console_client(specs: Iterable[ServiceSpec], token_sha256: str) -> GatewayClient:
    """Return the console as a client: at each service it may call the tools that only read, and those of the login.

    `token_sha256` is the hash of its token, as 64 hex digits.
    """
    return GatewayClient(CONSOLE_CLIENT, (token_sha256,), {spec.name: _scope(spec) for spec in specs})


def _scope(spec: ServiceSpec) -> Scope:
    logins = tuple(name for name, reads in spec.tools.items() if not reads and name.endswith(LOGIN_TOOLS))
    if not logins:
        return "read"
    return (*(name for name, reads in spec.tools.items() if reads), *logins)
