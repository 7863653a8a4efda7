"""The real gateway, the real hub and real services together: what clients of the SDK list, call and hear of."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from dyber_hub.app import HubApp, build_app
from dyber_hub.catalogue import Catalogue
from dyber_hub.live import Offers
from dyber_hub.refresh import Timings
from dyber_hub.settings import HubSettings
from dyber_kit import Settings
from dyber_kit.serving.server import DrainingServer, build_server
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.types import ElicitResult

from infra.rendering.gateway.model import GatewayClient, GatewayGroup, GatewayHub, GatewayService, Scope
from tests.gateway.conftest import NGINX_FOLDER
from tests.gateway.support.docker_cli import build_image, wait_until
from tests.gateway.support.gateway_under_test import SETTINGS, GatewayUnderTest
from tests.gateway.support.hub_under_test import HUB_TOKEN, PORTS, RELAY_PORT
from tests.gateway.support.relay import relay
from tests.servers.hub.asking import message, modern_headers, until
from tests.stand_in.hub import services as hub_services
from tests.stand_in.running import do_in, free_port, running, running_in

#: The services are asked for their lists at the start only.
ONCE = Timings(shortest=600, longest=600, again=0.5, answer=10, states=600)
ASKING = {
    "name": "asking",
    "title": "询问",
    "instructions": None,
    "services": [],
    "tools": [
        {"exposed": "inquire", "service": "alpha", "tool": "alpha_ask"},
        {"exposed": "linger", "service": "alpha", "tool": "alpha_wait"},
    ],
}
SCOPES: dict[str, dict[str, Scope] | None] = {
    "owner": None,
    "reader": {"alpha": "read", "gamma": "all"},
    "single": {"alpha": ("alpha_write",), "beta": "all"},
}
TOKENS = {name: f"{name:x<40}" for name in SCOPES}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "alpha_echo": {"text": "a", "region": "x"},
    "alpha_number": {"number": 9007199254740993},
    "alpha_write": {"text": "a"},
    "alpha_wait": {"name": "a"},
    "beta_echo": {"text": "a"},
    "beta_clear": {},
    "gamma_echo": {"text": "a"},
    "say": {"text": "a", "region": "x"},
    "keep": {"text": "a"},
}
#: By address and client, the tools that it may call there, of those that ask nobody.
ADMITTED = {
    ("", "owner"): {name for name in ARGUMENTS if "_" in name},
    ("", "reader"): {"alpha_echo", "alpha_number", "alpha_wait", "gamma_echo"},
    ("", "single"): {"alpha_write", "beta_echo", "beta_clear"},
    ("/groups/pet", "owner"): {"say", "keep", "beta_echo"},
    ("/groups/pet", "reader"): {"say"},
    ("/groups/pet", "single"): {"keep", "beta_echo"},
}
WAYS = ["modern", "legacy", "sse"]


@dataclass
class Whole:
    """Is a gateway with a hub and services behind it."""

    gateway: GatewayUnderTest
    app: HubApp
    server: DrainingServer
    loop: asyncio.AbstractEventLoop
    services: dict[str, str]

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.gateway.port(80)}"

    @asynccontextmanager
    async def client(self, name: str, way: str, path: str = "", **options: Any) -> AsyncIterator[Client]:
        """Yield a client of the SDK at an address; it claims more than its token, which the gateway must not believe."""
        headers = {"Authorization": f"Bearer {TOKENS[name]}", "X-Dyber-Scope": "all", "X-Dyber-Tool": "alpha_write"}
        if way == "sse":
            connection: Any = sse_client(f"{self.base}{path}/mcp/sse", headers=headers)
        else:
            http = httpx2.AsyncClient(headers=headers, timeout=60)
            connection = streamable_http_client(f"{self.base}{path}/mcp", http_client=http)
        async with Client(connection, mode="auto" if way == "modern" else "legacy", **options) as client:
            yield client


def gateway_hub(catalogue: Catalogue) -> GatewayHub:
    return GatewayHub(
        hashlib.sha256(HUB_TOKEN.encode()).hexdigest(),
        tools={name: tuple(tool.name for tool in service.tools or ()) for name, service in catalogue.services.items()},
        prompts={"alpha": ("alpha_greet",)},
        resource_schemes={"alpha": ("alpha",)},
        readable=frozenset({"alpha"}),
        groups=tuple(
            GatewayGroup(group.name, {tool.exposed: (tool.service, tool.tool) for tool in group.tools}, group.services)
            for group in catalogue.groups.values()
        ),
        search=True,
        requests_per_second=9999,
    )


def as_gateway_knows(catalogue: Catalogue, name: str, port: int) -> GatewayService:
    tools = catalogue.services[name].tools or ()
    return GatewayService(
        name,
        port,
        "甲",
        20,
        requests_per_second=9999,
        enforces_scopes=True,
        read_tools=tuple(tool.name for tool in tools if tool.read_only),
        write_tools=tuple(tool.name for tool in tools if not tool.read_only),
    )


def hub_of(gateway: GatewayUnderTest, catalogue: Catalogue, port: int) -> HubApp:
    settings = Settings(host="0.0.0.0", port=port, require_scope=True)
    relayed = f"http://127.0.0.1:{gateway.port(RELAY_PORT)}"
    return build_app(settings, HubSettings(Path("hub.json"), relayed, HUB_TOKEN), catalogue, ONCE)


def whole_catalogue() -> Catalogue:
    return replace(hub_services.catalogue(groups=(hub_services.PET, ASKING)), search=True)


@pytest.fixture(scope="module")
def whole() -> Iterator[Whole]:
    """Return a gateway, a hub and three services, as a deployment connects them."""
    catalogue = whole_catalogue()
    gateway = GatewayUnderTest(build_image(NGINX_FOLDER), ports=PORTS)
    with ExitStack() as stack:
        stack.callback(gateway.stop)
        gateway.start()
        known = []
        bases = {}
        for number, (name, build) in enumerate(hub_services.SERVICES.items()):
            settings = Settings(host="0.0.0.0", port=free_port(), read_only=False, require_scope=True)
            bases[name] = stack.enter_context(running(build_server(build(settings))))
            relay(gateway, name, settings.port, 9000 + number)
            known.append(as_gateway_knows(catalogue, name, 9000 + number))
        clients = tuple(
            GatewayClient(name, (hashlib.sha256(TOKENS[name].encode()).hexdigest(),), scopes)
            for name, scopes in SCOPES.items()
        )
        gateway.configure(SETTINGS, tuple(known), clients, hub=gateway_hub(catalogue))
        app = hub_of(gateway, catalogue, free_port())
        server = build_server(app)
        _, loop = stack.enter_context(running_in(server))
        relay(gateway, "hub", app.settings.port, 8070, ("hub", "hub-1"))
        wait_until(lambda: all(app.live.state(name) == "ok" for name in app.live.services), "the hub has all lists")
        wait_until(lambda: reaches_hub(gateway), "the gateway reaches the hub")
        yield Whole(gateway, app, server, loop, bases)


def reaches_hub(gateway: GatewayUnderTest) -> bool:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode()
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    return gateway.request("/mcp", method="POST", token=TOKENS["owner"], headers=headers, body=body).status == 200


async def succeeds(client: Client, name: str, arguments: Any) -> bool:
    """Call a tool; return whether it ran."""
    try:
        return not (await client.call_tool(name, arguments)).is_error
    except MCPError as error:
        assert error.error.code == -32602, error
        return False


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("path", "name"), ADMITTED)
async def test_case_21_what_is_listed_can_be_called_and_nothing_else(
    whole: Whole, path: str, name: str, way: str
) -> None:
    async with whole.client(name, way, path) as client:
        listed = {tool.name for tool in (await client.list_tools()).tools} - {"alpha_ask"}
        called = {tool for tool, given in ARGUMENTS.items() if await succeeds(client, tool, given)}
    assert (listed, called) == (ADMITTED[path, name], ADMITTED[path, name])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SCOPES)
async def test_case_21_what_is_found_can_be_called_and_nothing_else(whole: Whole, name: str, way: str) -> None:
    admitted = ADMITTED["", name]
    async with whole.client(name, way, "/search") as client:
        found, called = set(), set()
        for tool, given in ARGUMENTS.items():
            answer = await client.call_tool("find_tools", {"query": tool, "limit": 20})
            found |= {entry["name"] for entry in json.loads(answer.content[0].text)["tools"]}  # type: ignore[union-attr]
            called |= {tool} if await succeeds(client, "call_tool", {"name": tool, "arguments": given}) else set()
    assert (found - {"alpha_ask"}, called) == (admitted, admitted)


@pytest.mark.parametrize("way", WAYS)
async def test_case_39_a_renamed_tool_is_counted_by_the_name_that_its_service_knows(whole: Whole, way: str) -> None:
    async with whole.client("owner", way, "/groups/pet") as client:
        answer = await client.call_tool("say", {"text": "a", "region": "x"})
        assert answer.structured_content == {"text": "ax"}
    async with httpx2.AsyncClient() as http:
        metrics = (await http.get(f"{whole.services['alpha']}/metrics")).text
    assert 'tool="alpha_echo"' in metrics and 'tool="say"' not in metrics


async def answer_blue(context: Any, params: Any) -> ElicitResult:
    return ElicitResult(action="accept", content={"text": "blue"})


@pytest.mark.parametrize(
    ("path", "tool", "arguments"),
    [
        ("", "alpha_ask", {}),
        ("/groups/asking", "inquire", {}),
        ("/search", "call_tool", {"name": "alpha_ask", "arguments": {}}),
    ],
)
async def test_case_30_a_question_is_put_to_the_user(whole: Whole, path: str, tool: str, arguments: Any) -> None:
    async with whole.client("owner", "modern", path, elicitation_callback=answer_blue) as client:
        answer = await client.call_tool(tool, arguments)
    assert answer.structured_content == {"text": "asked blue"}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("path", "tool", "arguments"),
    [
        ("", "alpha_wait", {"name": "a", "steps": 3}),
        ("/groups/asking", "linger", {"name": "a", "steps": 3}),
        ("/search", "call_tool", {"name": "alpha_wait", "arguments": {"name": "a", "steps": 3}}),
    ],
)
async def test_case_27_progress_reaches_its_client(
    whole: Whole, path: str, tool: str, arguments: Any, way: str
) -> None:
    steps: list[float] = []

    async def note(progress: float, total: float | None, text: str | None) -> None:
        steps.append(progress)

    async with whole.client("owner", way, path) as client:
        answer = await client.call_tool(tool, arguments, progress_callback=note)
    assert answer.structured_content == {"text": "a"}
    assert steps == [1, 2, 3]


@pytest.mark.parametrize(("path", "tool"), [("", "alpha_wait"), ("/groups/asking", "linger"), ("/search", "call_tool")])
async def test_case_28_a_client_that_leaves_cancels_its_call_at_the_service(whole: Whole, path: str, tool: str) -> None:
    waiting = {"name": f"left {path}", "steps": 1, "stay": True}
    given = {"name": "alpha_wait", "arguments": waiting} if tool == "call_tool" else waiting
    sent = message("tools/call", name=tool, arguments=given, _meta={"progressToken": 1})
    headers = {
        **modern_headers(sent),
        "Authorization": f"Bearer {TOKENS['owner']}",
        "Accept": "application/json, text/event-stream",
    }
    async with (
        httpx2.AsyncClient(timeout=30) as http,
        http.stream("POST", f"{whole.base}{path}/mcp", json=sent, headers=headers) as response,
    ):
        async for line in response.aiter_lines():
            if "notifications/progress" in line:
                break
        assert waiting["name"] not in hub_services.ended
    await until(lambda: waiting["name"] in hub_services.ended)


async def test_case_34_a_listener_hears_of_a_change_at_once(whole: Whole) -> None:
    live = whole.app.live
    entries = tuple(tool.entry for tool in live.services["gamma"].tools or ())
    new = {"name": "gamma_new", "inputSchema": {"type": "object"}}
    async with whole.client("reader", "modern") as client:
        async with client.listen(tools_list_changed=True) as stream:
            assert stream.honored.tools_list_changed is True
            do_in(whole.loop, lambda: live.note_offers("gamma", Offers(None, (*entries, new))))
            async for _ in stream:
                break
        assert "gamma_new" in [tool.name for tool in (await client.list_tools()).tools]
    do_in(whole.loop, lambda: live.note_offers("gamma", Offers(None, entries)))


async def test_cases_36_and_51_a_hub_that_stops_ends_streams_in_order_and_stops_no_call(whole: Whole) -> None:
    """Stop the hub for good; this is the last test, for the sake of the others."""
    async with whole.client("owner", "modern") as modern, whole.client("owner", "legacy") as legacy:
        for client in (modern, legacy):  # They check answers by the list, which they would ask for later.
            await client.list_tools()
        async with modern.listen(tools_list_changed=True) as stream:
            whole.server.should_exit = True
            assert [event async for event in stream] == []
        wait_until(lambda: not reaches_hub(whole.gateway), "the hub has stopped")
        for client in (modern, legacy):
            answer = await client.call_tool("beta_echo", {"text": "a"})
            assert answer.structured_content == {"text": "beta a"}
        with running(build_server(hub_of(whole.gateway, whole_catalogue(), whole.app.settings.port))):
            wait_until(lambda: reaches_hub(whole.gateway), "the hub is back")
            for client in (modern, legacy):
                assert "beta_echo" in [tool.name for tool in (await client.list_tools(cache_mode="bypass")).tools]
            async with modern.listen(tools_list_changed=True) as stream:
                assert stream.honored.tools_list_changed is True
