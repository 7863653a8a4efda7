"""The SDK's client logs in at a real identity provider and calls real services through the real gateway."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from dyber_hub.app import build_app
from dyber_hub.catalogue import parse_catalogue
from dyber_hub.settings import HubSettings
from dyber_kit.contract import all_tools
from dyber_kit.settings import Settings
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from starlette.types import ASGIApp

from infra.rendering.gateway.model import GatewayService
from infra.services.ports import RELAY_PORT
from tests.gateway.support.gateway_under_test import GatewayUnderTest
from tests.gateway.support.logins import HUB_TOKEN, Logins, logins_of
from tests.gateway.support.relay import relay
from tests.stand_in.header_attacks import serving
from tests.stand_in.running import free_port
from tests.stand_in.services import PACKAGES
from tests.support.node_programs import install
from tests.support.real_identity_provider import log_in, real_identity_provider

CALLBACK = "http://127.0.0.1:33418/callback"
TEMPLATE = GatewayService(
    # For the gateway, the tool writes.
    "template",
    9000,
    "模板",
    5,
    write_tools=("template_echo",),
    requests_per_second=1000,
    enforces_scopes=True,
)


@pytest.fixture(scope="module")
def logins(gateway_image: str) -> Iterator[Logins]:
    settings = replace(all_tools(free_port()), host="0.0.0.0", require_scope=True)
    gateway = GatewayUnderTest(gateway_image, ports=(80, 9000, RELAY_PORT))
    try:
        gateway.start()
        with real_identity_provider(install()) as issuer, serving(PACKAGES["template"], settings) as target:
            relay(gateway, "template", settings.port)
            hub = hub_application(f"http://127.0.0.1:{gateway.port(RELAY_PORT)}")
            with logins_of(gateway, issuer, None, (TEMPLATE,), ("mcp", "mcp:read"), hub) as running:
                running.called = target.called
                yield running
    finally:
        gateway.stop()


def hub_application(gateway: str) -> ASGIApp:
    """Return the hub's real application."""
    tool = {"name": "template_echo", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}}
    service = {
        "name": "template", "title": "模板", "description": "", "instructions": None, "max_call_seconds": 5, "tools": [tool],
    }  # fmt: skip
    catalogue = parse_catalogue(json.dumps({"services": [service], "groups": [], "search": False}))
    settings = Settings(host="0.0.0.0", require_scope=True, allowed_hosts=("*",))
    return build_app(settings, HubSettings(Path("/unused"), gateway, HUB_TOKEN), catalogue)


@dataclass
class Storage:
    """What a client remembers of its login."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


@dataclass
class Person:
    """A person with a browser and a client program."""

    name: str
    storage: Storage = field(default_factory=Storage)
    #: The addresses of the identity provider to which the client sent its person.
    asked: list[str] = field(default_factory=list)
    returned: str = ""
    #: The scope to which the person consents at first, in place of the one that the client asks for.
    consents: str = ""

    async def _browse(self, address: str) -> None:
        self.asked.append(address)
        if self.consents and len(self.asked) == 1:
            url = httpx2.URL(address)
            address = str(url.copy_set_param("scope", self.consents))
        self.returned = await log_in(address, self.name, CALLBACK)

    async def _came_back(self) -> AuthorizationCodeResult:
        query = {key: values[0] for key, values in parse_qs(urlsplit(self.returned).query).items()}
        return AuthorizationCodeResult(code=query["code"], state=query.get("state"), iss=query.get("iss"))

    @asynccontextmanager
    async def connected(self, url: str, mode: str) -> AsyncIterator[Client]:
        metadata = OAuthClientMetadata(client_name="test", redirect_uris=[CALLBACK])
        login = OAuthClientProvider(url, metadata, self.storage, self._browse, self._came_back)
        async with (
            httpx2.AsyncClient(auth=login, timeout=30, follow_redirects=True) as http,
            Client(streamable_http_client(url, http_client=http), mode=mode) as client,
        ):
            yield client


@pytest.mark.parametrize("path", ["/api/template/mcp", "/mcp"])
@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_person_logs_in_and_calls_a_tool(logins: Logins, mode: str, path: str) -> None:
    person = Person("alice")
    logins.called.clear()
    url = logins.base + path
    async with person.connected(url, mode) as client:
        assert "template_echo" in {tool.name for tool in (await client.list_tools()).tools}
        await client.call_tool("template_echo", {"text": "hello"})
        assert logins.called == ["template_echo"]
    (address,) = person.asked
    query = parse_qs(urlsplit(address).query)
    assert query["resource"] == [url]
    assert query["code_challenge_method"] == ["S256"]
    assert "mcp" in query["scope"][0].split(" ")
    entries, _ = logins.gateway.logs()
    assert {"login.alice"} <= {entry["client"] for entry in entries if entry["status"] == 200}
    # The client keeps its token, so nobody has to log in again.
    async with person.connected(url, mode) as client:
        await client.call_tool("template_echo", {"text": "again"})
    assert logins.called == ["template_echo", "template_echo"]
    assert len(person.asked) == 1


async def test_a_token_of_one_address_opens_no_other(logins: Logins) -> None:
    person = Person("bob")
    async with person.connected(f"{logins.base}/api/template/mcp", "auto") as client:
        await client.list_tools()
    assert person.storage.tokens is not None
    answer = logins.post(person.storage.tokens.access_token, "/mcp")
    assert (answer.status, answer.json()["reason"]) == (401, "login_audience")


async def test_a_client_asks_for_more_scope_when_a_call_needs_it(logins: Logins) -> None:
    person = Person("carol", consents="mcp:read")
    logins.called.clear()
    async with person.connected(f"{logins.base}/api/template/mcp", "auto") as client:
        await client.list_tools()
        assert person.storage.tokens is not None
        assert person.storage.tokens.scope == "mcp:read"
        await client.call_tool("template_echo", {"text": "hello"})
    assert logins.called == ["template_echo"]
    assert len(person.asked) == 2
    assert "mcp" in parse_qs(urlsplit(person.asked[1]).query)["scope"][0].split(" ")
