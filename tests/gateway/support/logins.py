"""Runs the hub's verifier in this process and configures a gateway that asks it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import uvicorn
from dyber_hub.tokens.configuration import Introspection, Issuer, User
from dyber_hub.tokens.endpoint import TokenEndpoint
from dyber_hub.tokens.verifier import Verifier
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from infra.rendering.gateway.configuration import render
from infra.rendering.gateway.model import GatewayClient, GatewayGroup, GatewayHub, GatewayService
from infra.settings.gateway import GatewaySettings
from infra.settings.oauth import OAuthSettings
from tests.gateway.support.gateway_under_test import CLIENT, HUNG, SETTINGS, Answer, GatewayUnderTest
from tests.gateway.support.relay import relay
from tests.stand_in.identity_provider import IdentityProvider
from tests.stand_in.running import free_port, running

HUB_TOKEN = "c0" * 32
#: An audience that stands for every address of the gateway.
EVERYWHERE = "the-whole-stack"
#: The backends are `alpha`, whose tools these are, and `hung`.
ALPHA = GatewayService("alpha", 9000, "甲", 5, read_tools=("alpha_read",), write_tools=("alpha_write",))
BETA = GatewayService("beta", 9002, "乙", 5, read_tools=("beta_read",))
READER = GatewayClient("reader", (hashlib.sha256(b"reader").hexdigest(),), {"alpha": "read"})
GROUPS = (
    GatewayGroup("pet", {"alpha_read": ("alpha", "alpha_read"), "write": ("alpha", "alpha_write")}),
    GatewayGroup("other", {"beta_read": ("beta", "beta_read")}),
)
MODERN = {"MCP-Protocol-Version": "2026-07-28"}


def calling(tool: str) -> dict[str, str]:
    return {**MODERN, "Mcp-Method": "tools/call", "Mcp-Name": tool}


@dataclass
class Logins:
    gateway: GatewayUnderTest
    provider: IdentityProvider | str
    #: The beginning of every address of the gateway.
    base: str
    settings: GatewaySettings
    services: tuple[GatewayService, ...] = (ALPHA, HUNG, BETA)
    #: The tools that ran, in tests with a real service.
    called: list[str] = field(default_factory=list)

    def token(self, path: str = "/api/alpha/mcp", **claims: Any) -> str:
        """Return a good token for an MCP address of the gateway."""
        assert isinstance(self.provider, IdentityProvider)
        return self.provider.token(**{"aud": self.base + path, **claims})

    def post(self, token: str | None, path: str = "/api/alpha/mcp", **headers: str) -> Answer:
        return self.gateway.request(path, method="POST", token=token, body=b"{}", headers=headers)

    def call(self, token: str | None, tool: str = "alpha_write", headers: Mapping[str, str] | None = None) -> Answer:
        return self.post(token, **{**calling(tool), **(headers or {})})

    def deliver(self, requests_per_second: int = 1000, **changes: Any) -> None:
        """Deliver the configuration with changed settings."""
        services = [replace(service, requests_per_second=requests_per_second) for service in self.services]
        settings = self.settings.model_copy(update=changes)
        groups = GROUPS if ALPHA in self.services else ()
        offered = {service.name: (*service.read_tools, *service.write_tools) for service in services}
        hub = GatewayHub(hashlib.sha256(HUB_TOKEN.encode()).hexdigest(), offered, groups=groups, search=True)
        loaded = self.gateway.load(render(settings, services, (CLIENT, READER), hub=hub))
        assert loaded.exit_code == 0, loaded.stderr


async def _echo(request: Request) -> JSONResponse:
    """Answer in place of the hub's own application with what arrived."""
    return JSONResponse({"hub": True, "headers": dict(request.headers)})


@contextmanager
def logins_of(
    gateway: GatewayUnderTest,
    provider: IdentityProvider | str,
    introspection: Path | None = None,
    services: tuple[GatewayService, ...] = (ALPHA, HUNG, BETA),
    scopes: tuple[str, ...] = ("mcp", "mcp:read", "alpha", "alpha:read"),
    application: ASGIApp | None = None,
) -> Iterator[Logins]:
    """Configure the gateway for an identity provider, or for that at an address.

    `introspection` has the password for it. `scopes` are those that it knows. `application` is the hub's besides the
    verifier; by default it answers with what arrived.
    """
    base = f"http://127.0.0.1:{gateway.port(80)}"
    url = provider if isinstance(provider, str) else provider.url
    users = ({"claim": "groups", "value": "readers", "client": "reader"},)
    issuer: dict[str, Any] = {"url": url, "users": users, "other_users": "desktop-pet"}
    how = introspection and Introspection(f"{url}/introspect", "gateway", introspection)
    if how:
        issuer["introspection"] = {"url": how.url, "client_id": how.client_id, "client_secret": "unused"}
    trusted = Issuer(
        url,
        "login",
        frozenset({EVERYWHERE}),
        scopes={scope: scope for scope in scopes},
        users=(User("groups", "readers", "reader"),),
        other_users="desktop-pet",
        introspection=how,
        private_addresses=True,
    )
    settings = SETTINGS.model_copy(
        update={"public_url": base, "oauth": OAuthSettings(issuers={"login": issuer}, scopes=scopes)}
    )
    application = application or Starlette(routes=[Route("/{path:path}", _echo, methods=["POST"])])
    endpoint = TokenEndpoint(application, Verifier([trusted]), HUB_TOKEN)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(endpoint, host="0.0.0.0", port=port, log_level="warning"))
    with running(server):
        relay(gateway, "hub", port, listening=8070, aliases=("hub", "hub-1"))
        logins = Logins(gateway, provider, base, settings, services)
        logins.deliver()
        yield logins
