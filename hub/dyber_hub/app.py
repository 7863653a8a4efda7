"""Builds the application of the hub: the address of the whole stack, those of the groups, and what watches over them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import anyio
from dyber_kit.calling.calls import Calls
from dyber_kit.observing.log_shipping import shipping_logs
from dyber_kit.observing.logs import configure_logging
from dyber_kit.observing.metrics import Metrics
from dyber_kit.observing.tracing import tracing
from dyber_kit.serving.app import common_routes, no_such_address
from dyber_kit.serving.hosts import default_hosts
from dyber_kit.serving.mcp.exchanges import Message
from dyber_kit.serving.mcp.transport import MCP_PATH, SSE_PATH
from dyber_kit.serving.middleware import GatewayMiddleware
from dyber_kit.settings import Settings
from mcp.server.context import ServerRequestContext
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from dyber_hub.addresses import GROUPS_PREFIX, SEARCH_PREFIX, Address, Addresses, Mounted
from dyber_hub.catalogue import Catalogue, read_catalogue
from dyber_hub.forwarding.gateway import Gateway
from dyber_hub.lists.cursors import Cursors
from dyber_hub.lists.listing import LIST_METHODS, Lists, ListStore, list_store
from dyber_hub.live import LiveCatalogue
from dyber_hub.metrics import HubMetrics
from dyber_hub.refresh import Refresher, Timings
from dyber_hub.scopes import HubScope, request_hub_scope
from dyber_hub.search.search_server import SearchServer
from dyber_hub.server import HubServer
from dyber_hub.settings import HubSettings
from dyber_hub.subscriptions import ChangeStreams, Sessions
from dyber_hub.texts import tr
from dyber_hub.tokens.endpoint import TokenEndpoint, configured_verifier
from dyber_hub.views import View, server_info

NAME = "hub"
VERSION = "1.0.0"
DEFAULT_PORT = 8070

#: Added to the longest limit of the services, so that it is the service that ends a call which takes too long.
_GRACE_SECONDS = 5.0


@dataclass(frozen=True)
class HubApp:
    """Holds the finished ASGI application and the parts that a server needs to run it."""

    asgi: ASGIApp
    calls: Calls
    sessions: Sessions
    settings: Settings
    live: LiveCatalogue

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        await self.asgi(scope, receive, send)


@dataclass(frozen=True)
class Parts:
    """Holds what all addresses of the hub share."""

    live: LiveCatalogue
    gateway: Gateway
    calls: Calls
    settings: Settings
    cursors: Cursors
    store: ListStore
    metrics: HubMetrics
    sessions: Sessions


def build_app(
    settings: Settings | None = None,
    hub: HubSettings | None = None,
    catalogue: Catalogue | None = None,
    timings: Timings | None = None,
) -> HubApp:
    """Return the application of the hub.

    Args:
        settings: The settings of the process; by default those of the environment.
        hub: Where the catalogue and the gateway are; by default what the environment says.
        catalogue: The services, tools and groups; by default what the file holds.
        timings: How often the services are asked for their lists.

    Raises:
        ValueError: A file or a variable cannot be used; the message names it and the reason.
    """
    settings = settings or Settings.from_environment(DEFAULT_PORT)
    hub = hub or HubSettings.from_environment()
    catalogue = catalogue or read_catalogue(hub.file)
    configure_logging(NAME, settings.log_level)
    longest = max([settings.max_call_seconds, *(service.max_call_seconds for service in catalogue.services.values())])
    settings = replace(settings, max_call_seconds=longest + _GRACE_SECONDS)
    metrics = Metrics(NAME)
    live = LiveCatalogue(catalogue)
    parts = Parts(
        live=live,
        gateway=Gateway.connect(hub.gateway_url, hub.token),
        calls=Calls(metrics, settings.max_call_seconds),
        settings=settings,
        cursors=Cursors(hub.token.encode()),
        store=list_store(),
        metrics=HubMetrics(metrics, live),
        sessions=Sessions(),
    )
    verifier = configured_verifier()
    refresher = Refresher(live, parts.gateway, timings)
    whole = view_address(parts, View(live))
    others = {f"{GROUPS_PREFIX}/{name}": view_address(parts, View(live, group)) for name, group in live.groups.items()}
    if live.search:
        others[SEARCH_PREFIX] = search_address(parts, View(live))
        others |= {
            f"{GROUPS_PREFIX}/{name}{SEARCH_PREFIX}": search_address(parts, View(live, group))
            for name, group in live.groups.items()
        }

    async def ready() -> str | None:
        return None if refresher.has_asked_all else tr("The services are being asked for their tools")

    @asynccontextmanager
    async def run_parts(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(shipping_logs(NAME))
            await stack.enter_async_context(tracing(NAME, VERSION))
            stack.push_async_callback(parts.gateway.close)
            if verifier is not None:
                stack.push_async_callback(verifier.aclose)
            for address in (whole, *others.values()):
                await stack.enter_async_context(address.exchanges.running())
            tasks = await stack.enter_async_context(anyio.create_task_group())
            stack.callback(tasks.cancel_scope.cancel)
            tasks.start_soon(refresher.run)
            yield

    about: dict[str, str | int] = {"service": NAME, "version": VERSION, "services": len(live.services)}
    mcp_paths = [MCP_PATH, SSE_PATH, *(f"{beginning}{MCP_PATH}" for beginning in others)]
    common = common_routes(about, [*mcp_paths, "/health", "/ready", "/metrics"], parts.calls, metrics, ready)
    rest = Starlette(
        routes=[*(route.served() for route in common), *whole.sse_routes()],
        exception_handlers={404: no_such_address},
        lifespan=run_parts,
    )
    mounted = {beginning: Mounted(each.app(settings, parts.sessions), each.view) for beginning, each in others.items()}
    addresses = Addresses(whole.app(settings, parts.sessions, rest), mounted, require_scope=settings.require_scope)
    hosts = settings.allowed_hosts if settings.allowed_hosts is not None else default_hosts(settings.host)
    asgi: ASGIApp = GatewayMiddleware(addresses, parts.calls, hosts, settings.language)
    if verifier is not None:
        asgi = TokenEndpoint(asgi, verifier, hub.token)
    return HubApp(asgi, parts.calls, parts.sessions, settings, live)


def view_address(parts: Parts, view: View) -> Address:
    """Return the address that serves what a view offers."""
    required = parts.settings.require_scope
    lists = Lists(view, server_info(view, VERSION), parts.cursors, parts.store)
    streams = ChangeStreams(parts.live, lists.fingerprint, partial(_scope_of, required=required))
    parts.sessions.streams.append(streams)
    server = HubServer(view, lists, parts.gateway, parts.calls, version=VERSION, require_scope=required, listen=streams)

    def stored(message: Message, version: str, scope: Scope) -> bytes | None:
        method = message["method"]
        if method not in LIST_METHODS:
            return None
        parts.metrics.list_answered(view.place, method)
        caller = request_hub_scope(scope["headers"], required=required)
        return lists.answer(method, message.get("params"), version, caller)

    return Address(view, server, stored)


def search_address(parts: Parts, view: View) -> Address:
    """Return the address at which the tools of a view are found by search."""
    lists = Lists(view, server_info(view, VERSION), parts.cursors, parts.store)
    required = parts.settings.require_scope
    return Address(view, SearchServer(view, lists, parts.gateway, parts.calls, version=VERSION, require_scope=required))


def _scope_of(ctx: ServerRequestContext[Any, Any], *, required: bool) -> HubScope:
    return request_hub_scope(ctx.request.scope["headers"] if ctx.request is not None else (), required=required)
