"""Clients that listen: what they are told, when, in which order, and how their streams end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx2
import pytest
from dyber_hub import subscriptions
from dyber_hub.app import HubApp, build_app
from dyber_hub.live import Offers
from dyber_hub.settings import HubSettings
from dyber_kit import Settings, create_app, tool
from dyber_kit.serving.mcp import replies
from dyber_kit.serving.server import DrainingServer, build_server
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.subscriptions import ToolsListChanged
from pydantic import Field

from tests.servers.hub.asking import HUB, PET, answer_in, headers_of, message, modern_headers, post, until
from tests.servers.hub.conftest import ONCE, Hub, serving_hub
from tests.stand_in.hub import services as hub_services
from tests.stand_in.hub.gateway import TOKEN
from tests.stand_in.running import do_in, free_port, running, running_in, wait_until

ALL_KINDS = {"toolsListChanged": True, "promptsListChanged": True, "resourcesListChanged": True}
ID_META = "io.modelcontextprotocol/subscriptionId"
TOOLS, PROMPTS = "notifications/tools/list_changed", "notifications/prompts/list_changed"


@tool(title="新工具", read_only=True, open_world=False)
async def beta_new(text: Annotated[str, Field(description="Text")]) -> hub_services.Text:
    """Return the text."""
    return hub_services.Text(text=text)


@pytest.fixture(scope="module")
def with_tool() -> Iterator[str]:
    """Return the base URL of the service beta as a deployment replaces it: with another tool."""
    app = create_app(
        name="beta",
        title="乙",
        version="2",
        instructions="Beta is the second.",
        tools=[hub_services.beta_echo, hub_services.beta_clear, beta_new],
        settings=Settings(port=free_port(), read_only=False, require_scope=True),
    )
    with running(build_server(app)) as base:
        yield base


@dataclass
class Changing:
    """Is a running hub whose services list what a test says, after they were asked once.

    Attributes:
        base: Its base URL.
        app: Its application.
        server: Its server.
        loop: Its event loop, in another thread.
    """

    base: str
    app: HubApp
    server: DrainingServer
    loop: asyncio.AbstractEventLoop

    def lists(self, service: str, tools: list[str], prompts: tuple[str, ...] = ()) -> None:
        """Let a service list these tools and prompts; return when the hub knows them."""
        offers = Offers(
            None,
            tuple({"name": name, "inputSchema": {"type": "object"}} for name in tools),
            tuple({"name": name} for name in prompts),
        )
        self.do(lambda: self.app.live.note_offers(service, offers))

    def do(self, change: Callable[[], object]) -> None:
        """Do something in the hub's event loop."""
        do_in(self.loop, change)

    def stop(self) -> None:
        """Begin to stop the hub, as SIGTERM does."""
        self.server.should_exit = True


@contextmanager
def changing_hub(gateway_url: str) -> Iterator[Changing]:
    """Run a hub with services that are not asked again."""
    listed = [hub_services.entry(build()) for build in hub_services.SERVICES.values()]
    app = build_app(
        Settings(port=free_port()),
        HubSettings(Path("hub.json"), gateway_url, TOKEN),
        hub_services.catalogue(*listed),
        ONCE,
    )
    server = build_server(app)
    with running_in(server) as (base, loop):
        wait_until(lambda: all(app.live.state(name) == "ok" for name in app.live.services))
        yield Changing(base, app, server, loop)


@pytest.fixture(scope="module")
def _shared_hub(_running_gateway) -> Iterator[Changing]:
    with changing_hub(_running_gateway[1]) as hub:
        yield hub


BETA = ["beta_echo", "beta_clear"]


@pytest.fixture
def hub(_shared_hub: Changing) -> Changing:
    """Return a hub whose services list what they did at first, for tests that end no stream."""
    _shared_hub.lists("beta", BETA)
    _shared_hub.lists("gamma", ["gamma_echo"])
    return _shared_hub


@pytest.fixture
def ending_hub(gateway, gateway_url) -> Iterator[Changing]:
    """Return a hub for one test, which may end its streams."""
    with changing_hub(gateway_url) as hub:
        hub.lists("beta", BETA)
        yield hub


@dataclass
class Stream:
    """Reads the messages of a listening stream."""

    lines: AsyncIterator[str]

    async def next(self) -> dict[str, Any] | None:
        """Return the next message; None when the stream has ended."""
        async for line in self.lines:
            if line.startswith("data: {"):
                return json.loads(line[6:])
        return None


@asynccontextmanager
async def listening(
    hub: Hub | Changing, wanted: dict[str, Any], *, scope: str = "all", number: int | str = "listen-7", path: str = HUB
) -> AsyncIterator[Stream]:
    """Open a stream; its first message is read by the test."""
    sent = message("subscriptions/listen", number, notifications=wanted)
    headers = {"accept": "application/json, text/event-stream", **modern_headers(sent), **headers_of(scope)}
    async with (
        httpx2.AsyncClient(timeout=30) as http,
        http.stream("POST", f"{hub.base}{path}/mcp", json=sent, headers=headers) as response,
    ):
        assert response.status_code == 200, (await response.aread(), response.status_code)
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Stream(response.aiter_lines())


def acknowledged(number: int | str, **honoured: bool) -> dict[str, Any]:
    params = {"_meta": {ID_META: number}, "notifications": honoured}
    return {"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": params}


def change(method: str, number: int | str = "listen-7") -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": {"_meta": {ID_META: number}}}


@pytest.mark.parametrize("number", [7, "7"])
async def test_case_34_a_listener_is_acknowledged_first_and_then_told_once_of_a_deployed_tool(
    gateway, gateway_url, with_tool, number
):
    with serving_hub(gateway, gateway_url) as hub:
        await until(lambda: all(hub.app.live.state(name) == "ok" for name in hub.app.live.services))
        async with listening(hub, {"toolsListChanged": True}, number=number) as stream:
            assert await stream.next() == acknowledged(number, toolsListChanged=True)
            gateway.services["beta"] = with_tool
            assert await stream.next() == change(TOOLS, number)
            listed = (await post(hub.base, message("tools/list"))).json()["result"]["tools"]
            assert "beta_new" in [tool["name"] for tool in listed]
            hub.app.sessions.end_quiet()
            assert await stream.next() == ended(number)


async def test_what_was_not_asked_for_is_not_sent(hub):
    async with listening(hub, {"promptsListChanged": True, "toolsListChanged": False}) as stream:
        assert await stream.next() == acknowledged("listen-7", promptsListChanged=True)
        hub.lists("beta", [*BETA, "beta_new"])
        hub.lists("beta", [*BETA, "beta_new"], ("beta_prompt",))
        assert await stream.next() == change(PROMPTS)


async def test_single_resources_and_unknown_kinds_are_left_out_of_what_is_honoured(hub):
    wanted = {**ALL_KINDS, "resourceSubscriptions": ["alpha://about"], "taskIds": ["1"]}
    async with listening(hub, wanted) as stream:
        assert await stream.next() == acknowledged("listen-7", **ALL_KINDS)
    async with listening(hub, {"resourceSubscriptions": ["alpha://about"]}) as stream:
        assert await stream.next() == acknowledged("listen-7")


@pytest.mark.parametrize(
    "scope", ["gamma=all", "gamma=read beta=tools:beta_echo", "gamma=all beta=tools:beta_echo,beta_clear"]
)
async def test_a_listener_hears_of_no_change_that_its_scope_hides(hub, scope):
    async with listening(hub, ALL_KINDS, scope=scope) as narrow, listening(hub, ALL_KINDS) as wide:
        assert await narrow.next() == await wide.next() == acknowledged("listen-7", **ALL_KINDS)
        hub.lists("beta", [*BETA, "beta_new"], ("beta_prompt",))
        assert [await wide.next(), await wide.next()] == [change(TOOLS), change(PROMPTS)]
        # Of all that changes, this is the first that both can see; for a client that may only read, gamma has no tools.
        hub.lists("gamma", [], ("gamma_prompt",))
        assert await narrow.next() == change(PROMPTS if scope.startswith("gamma=read") else TOOLS)


async def test_a_group_tells_of_its_tools_only(hub):
    async with listening(hub, ALL_KINDS, path=PET) as group, listening(hub, ALL_KINDS) as whole:
        assert await group.next() == await whole.next()
        hub.lists("beta", ["beta_echo"], ("beta_prompt",))
        assert [await whole.next(), await whole.next()] == [change(TOOLS), change(PROMPTS)]
        hub.lists("beta", [])
        assert await group.next() == change(TOOLS)


async def test_case_35_a_service_that_comes_and_goes_changes_no_list(ending_hub):
    async with listening(ending_hub, ALL_KINDS) as stream:
        await stream.next()
        for _ in range(20):
            ending_hub.do(lambda: ending_hub.app.live.note_silence("beta"))
            ending_hub.lists("beta", BETA)
        ending_hub.stop()
        assert await stream.next() == ended("listen-7")


async def test_case_35_changes_in_quick_succession_are_told_once_in_an_interval(ending_hub, monkeypatch):
    monkeypatch.setattr(subscriptions, "INTERVAL_SECONDS", 3600)
    async with listening(ending_hub, {"toolsListChanged": True}) as stream:
        await stream.next()
        ending_hub.lists("beta", [*BETA, "beta_new"])
        assert await stream.next() == change(TOOLS)
        for number in range(20):
            ending_hub.lists("beta", BETA if number % 2 else [*BETA, f"beta_{number}"])
        ending_hub.stop()
        assert await stream.next() == ended("listen-7")


async def test_the_last_of_many_changes_is_told_too(hub, monkeypatch):
    monkeypatch.setattr(subscriptions, "INTERVAL_SECONDS", 0.3)
    async with listening(hub, {"toolsListChanged": True}) as stream:
        await stream.next()
        hub.lists("beta", [*BETA, "beta_new"])
        assert await stream.next() == change(TOOLS)
        # The stream pauses now; what happens meanwhile is told afterwards.
        hub.lists("beta", [*BETA, "beta_newer"])
        assert await stream.next() == change(TOOLS)


def ended(number: int | str) -> dict[str, Any]:
    info = {"name": "dyber", "title": "DyberPet", "version": "1.0.0"}
    result = {"_meta": {ID_META: number, "io.modelcontextprotocol/serverInfo": info}, "resultType": "complete"}
    return {"jsonrpc": "2.0", "id": number, "result": result}


async def test_case_36_a_stopping_hub_ends_streams_with_their_result(ending_hub, hub):
    async with listening(ending_hub, ALL_KINDS, number=1) as stream:
        await stream.next()
        ending_hub.stop()
        assert await stream.next() == ended(1)
        assert await stream.next() is None
    async with listening(hub, ALL_KINDS) as stream:
        assert await stream.next() == acknowledged("listen-7", **ALL_KINDS)


async def test_the_client_of_the_sdk_hears_of_a_change_and_of_the_end(ending_hub):
    http = httpx2.AsyncClient(headers=headers_of("all"), timeout=30)
    async with Client(streamable_http_client(f"{ending_hub.base}/mcp", http_client=http)) as client:
        before = [tool.name for tool in (await client.list_tools()).tools]
        async with client.listen(tools_list_changed=True, resource_subscriptions=["alpha://about"]) as stream:
            assert stream.honored.tools_list_changed is True and not stream.honored.resource_subscriptions
            ending_hub.lists("beta", [*BETA, "beta_new"])
            events = aiter(stream)
            assert await anext(events) == ToolsListChanged()
            after = [tool.name for tool in (await client.list_tools()).tools]
            assert set(after) - set(before) == {"beta_new"}
            ending_hub.stop()
            assert [event async for event in events] == []


async def test_a_silent_stream_gets_comments(hub, monkeypatch):
    monkeypatch.setattr(replies, "PING_SECONDS", 0.05)
    async with listening(hub, {}) as stream:
        assert await stream.next() == acknowledged("listen-7")
        lines = [await anext(stream.lines) for _ in range(5)]
    assert lines.count(": ping") == 2


def test_the_pause_between_comments_is_short_enough_for_proxies():
    assert replies.PING_SECONDS <= 15


def open_streams(hub: Changing) -> int:
    return sum(streams.count for streams in hub.app.sessions.streams)


async def test_a_client_that_leaves_leaves_nothing_behind(hub):
    async with listening(hub, ALL_KINDS) as stream:
        await stream.next()
        assert open_streams(hub) == 1
    await until(lambda: open_streams(hub) == 0)


async def test_too_many_streams_are_refused_with_what_to_do(hub, monkeypatch):
    monkeypatch.setattr(subscriptions, "MOST_STREAMS", 1)
    async with listening(hub, ALL_KINDS) as stream:
        await stream.next()
        error = answer_in(await post(hub.base, message("subscriptions/listen", notifications=ALL_KINDS)))["error"]
    assert error["code"] == -32603 and "tools/list" in error["message"]
    await until(lambda: open_streams(hub) == 0)
    async with listening(hub, ALL_KINDS) as stream:
        assert await stream.next() == acknowledged("listen-7", **ALL_KINDS)


async def test_listening_is_announced_to_clients_that_can_listen_only(hub):
    modern = answer_in(await post(hub.base, message("server/discover")))["result"]["capabilities"]
    assert {modern[kind]["listChanged"] for kind in ("tools", "prompts", "resources")} == {True}
    sent = message("subscriptions/listen", modern=False, notifications=ALL_KINDS)
    assert answer_in(await post(hub.base, sent, modern=False))["error"]["code"] == -32601


@pytest.mark.parametrize("notifications", [None, [], "all", {"toolsListChanged": [1]}])
async def test_a_filter_that_cannot_be_read_is_refused(hub, notifications):
    answer = await post(hub.base, message("subscriptions/listen", notifications=notifications))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32602)
