"""Runs the hub's verifier in this process and configures a gateway that asks it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvicorn
from dyber_hub.tokens.configuration import Introspection, Issuer, User
from dyber_hub.tokens.endpoint import TokenEndpoint
from dyber_hub.tokens.verifier import Verifier
from starlette.applications import Starlette

from infra.rendering.gateway.configuration import render
from infra.rendering.gateway.model import GatewayClient, GatewayHub, GatewayService
from infra.settings.gateway import GatewaySettings
from infra.settings.oauth import OAuthSettings
from tests.gateway.support.gateway_under_test import CLIENT, HUNG, SETTINGS, Answer, GatewayUnderTest
from tests.gateway.support.relay import relay
from tests.stand_in.identity_provider import IdentityProvider
from tests.stand_in.running import free_port, running

HUB_TOKEN = "c0" * 32
#: The backends are `alpha`, whose tools these are, and `hung`.
ALPHA = GatewayService("alpha", 9000, "甲", 5, read_tools=("alpha_read",), write_tools=("alpha_write",))
BETA = GatewayService("beta", 9002, "乙", 5, read_tools=("beta_read",))
READER = GatewayClient("reader", (hashlib.sha256(b"reader").hexdigest(),), {"alpha": "read"})
MODERN = {"MCP-Protocol-Version": "2026-07-28"}


def calling(tool: str) -> dict[str, str]:
    return {**MODERN, "Mcp-Method": "tools/call", "Mcp-Name": tool}


@dataclass
class Logins:
    gateway: GatewayUnderTest
    provider: IdentityProvider
    #: The beginning of every address of the gateway.
    base: str
    settings: GatewaySettings

    def token(self, path: str = "/api/alpha/mcp", **claims: Any) -> str:
        """Return a good token for an MCP address of the gateway."""
        return self.provider.token(**{"aud": self.base + path, **claims})

    def post(self, token: str | None, path: str = "/api/alpha/mcp", **headers: str) -> Answer:
        return self.gateway.request(path, method="POST", token=token, body=b"{}", headers=headers)

    def call(self, token: str | None, tool: str = "alpha_write", headers: Mapping[str, str] | None = None) -> Answer:
        return self.post(token, **{**calling(tool), **(headers or {})})

    def deliver(self, requests_per_second: int = 1000, **changes: Any) -> None:
        """Deliver the configuration with changed settings."""
        services = [replace(service, requests_per_second=requests_per_second) for service in (ALPHA, HUNG, BETA)]
        settings = self.settings.model_copy(update=changes)
        hub = GatewayHub(hashlib.sha256(HUB_TOKEN.encode()).hexdigest())
        loaded = self.gateway.load(render(settings, services, (CLIENT, READER), hub=hub))
        assert loaded.exit_code == 0, loaded.stderr


@contextmanager
def logins_of(
    gateway: GatewayUnderTest, provider: IdentityProvider, introspection: Path | None = None
) -> Iterator[Logins]:
    """Configure the gateway for an identity provider; `introspection` has the password for it."""
    base = f"http://127.0.0.1:{gateway.port(80)}"
    users = ({"claim": "groups", "value": "readers", "client": "reader"},)
    issuer: dict[str, Any] = {"url": provider.url, "users": users, "other_users": "desktop-pet"}
    how = introspection and Introspection(f"{provider.url}/introspect", "gateway", introspection)
    if how:
        issuer["introspection"] = {"url": how.url, "client_id": how.client_id, "client_secret": "unused"}
    trusted = Issuer(
        provider.url,
        "login",
        scopes={scope: scope for scope in ("mcp", "mcp:read", "alpha", "alpha:read")},
        users=(User("groups", "readers", "reader"),),
        other_users="desktop-pet",
        introspection=how,
        private_addresses=True,
    )
    settings = SETTINGS.model_copy(
        update={
            "public_url": base,
            "oauth": OAuthSettings(issuers={"login": issuer}, scopes=("mcp", "mcp:read", "alpha", "alpha:read")),
        }
    )
    endpoint = TokenEndpoint(Starlette(), Verifier([trusted]), HUB_TOKEN)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(endpoint, host="0.0.0.0", port=port, log_level="warning"))
    with running(server):
        relay(gateway, "hub", port, listening=8070, aliases=("hub", "hub-1"))
        logins = Logins(gateway, provider, base, settings)
        logins.deliver()
        yield logins
