"""The SDK's clients of older revisions with a scope of some tools, at real services behind the real gateway."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import pytest
from dyber_kit.contract import all_tools
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from infra.rendering.gateway.model import GatewayClient, GatewayService, Scope
from tests.gateway.conftest import started
from tests.gateway.support.docker_cli import wait_until
from tests.gateway.support.gateway_under_test import SETTINGS, GatewayUnderTest
from tests.gateway.support.relay import relay
from tests.servers.protocol.test_servers_legacy_sse import INITIALIZE
from tests.servers.protocol.test_servers_legacy_sse import session as legacy_session
from tests.stand_in.header_attacks import Target, serving
from tests.stand_in.running import free_port
from tests.stand_in.services import PACKAGES, build, minimal_arguments, tools_of

CLIENTS = ("reader", "single", "owner")
TOKENS = {name: f"{name:x<40}" for name in CLIENTS}


@dataclass
class Behind:
    """A service behind the gateway: its address there, and by tool whether it only reads, and arguments."""

    gateway: GatewayUnderTest
    name: str
    target: Target
    read_only: dict[str, bool]
    arguments: dict[str, dict[str, Any]]

    def bases(self) -> list[str]:
        """The service's addresses: below /api, and its direct port."""
        return [
            f"http://127.0.0.1:{self.gateway.port(80)}/api/{self.name}",
            f"http://127.0.0.1:{self.gateway.port(9000)}",
        ]

    def may_call(self, client: str) -> set[str]:
        if client == "reader":
            return {name for name, reads in self.read_only.items() if reads}
        return {self.target.allowed} if client == "single" else set(self.read_only)


@pytest.fixture(scope="module")
def gateway(gateway_image: str) -> Iterator[GatewayUnderTest]:
    with started(gateway_image) as running:
        yield running


@pytest.fixture(scope="module", params=sorted(PACKAGES))
def behind(request: pytest.FixtureRequest, gateway: GatewayUnderTest) -> Iterator[Behind]:
    """Each service as a deployment runs it: it refuses whatever does not come from its gateway."""
    name, package = request.param, PACKAGES[request.param]
    settings = replace(all_tools(free_port()), host="0.0.0.0", require_scope=True)
    tools = tools_of(build(package, settings))
    read_only = {tool.name: bool(tool.annotations and tool.annotations.read_only_hint) for tool in tools}
    with serving(package, settings) as target:
        relay(gateway, name, settings.port)
        service = GatewayService(
            name, 9000, "甲", 5, requests_per_second=10_000, enforces_scopes=True,
            read_tools=tuple(tool for tool, reads in read_only.items() if reads),
            write_tools=tuple(tool for tool, reads in read_only.items() if not reads),
        )  # fmt: skip
        scopes: dict[str, Scope] = {"reader": "read", "single": (target.allowed,), "owner": "all"}
        clients = tuple(
            GatewayClient(client, (hashlib.sha256(TOKENS[client].encode()).hexdigest(),), {name: scopes[client]})
            for client in CLIENTS
        )
        gateway.configure(SETTINGS, (service,), clients)
        found = Behind(
            gateway, name, target, read_only, {tool.name: minimal_arguments(tool.parameters) for tool in tools}
        )
        base = found.bases()[0]
        ready = {"Authorization": f"Bearer {TOKENS['owner']}"}
        wait_until(lambda: httpx2.get(f"{base}/health", headers=ready).status_code == 200, "the service is reached")
        yield found


def connected(base: str, transport: str, client: str) -> Client:
    """An SDK client of an older revision; it claims to have every scope, which the gateway must not believe."""
    headers = {"Authorization": f"Bearer {TOKENS[client]}", "X-Dyber-Scope": "all", "X-Dyber-Client": "owner"}
    if transport == "sse":
        return Client(sse_client(f"{base}/mcp/sse", headers=headers), mode="legacy")
    http = httpx2.AsyncClient(headers=headers, timeout=30)
    return Client(streamable_http_client(f"{base}/mcp", http_client=http), mode="legacy")


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("transport", ["streamable", "sse"])
async def test_an_old_client_sees_and_calls_the_tools_of_its_scope_and_no_others(
    behind: Behind, transport: str, client: str
) -> None:
    for base in behind.bases():
        behind.target.called.clear()
        async with connected(base, transport, client) as connection:
            listed = {tool.name for tool in (await connection.list_tools()).tools}
            for name, arguments in behind.arguments.items():
                result = await connection.call_tool(name, arguments)
                refused = "没有名为" in result.content[0].text  # type: ignore[union-attr]
                assert refused == (name not in behind.may_call(client))
        assert (listed, set(behind.target.called)) == (behind.may_call(client), behind.may_call(client))


async def test_a_stream_of_one_client_takes_no_message_of_another(behind: Behind) -> None:
    for base in behind.bases():
        owner, reader = ({"Authorization": f"Bearer {TOKENS[client]}"} for client in ("owner", "reader"))
        async with legacy_session(base, **reader) as stream, httpx2.AsyncClient(timeout=20) as http:
            url = f"{base.split('/api/')[0]}{stream.endpoint}"
            assert (await http.post(url, json=INITIALIZE, headers=owner)).status_code == 404
            assert (await http.post(url, json=INITIALIZE, headers=reader)).status_code == 202
            assert (await stream.answer(0))["result"]["serverInfo"]["name"] == behind.name


async def test_the_service_itself_refuses_who_comes_past_the_gateway(behind: Behind) -> None:
    async with httpx2.AsyncClient(timeout=20) as http:
        assert (await http.post(f"{behind.target.base}/mcp", json=INITIALIZE)).status_code == 403
