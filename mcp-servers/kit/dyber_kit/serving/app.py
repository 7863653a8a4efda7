"""Builds the application of a service: the addresses, documentation, readiness and metrics around its tools."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from mcp.server import MCPServer
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from dyber_kit.calling.calls import Calls
from dyber_kit.calling.completions import CompletionDeclaration, Completions
from dyber_kit.calling.offered import Declaration, PromptOffer, ResourceOffer, SuggestionsOffer
from dyber_kit.calling.prompts import PromptDeclaration
from dyber_kit.calling.resources import ResourceDeclaration
from dyber_kit.language import tr
from dyber_kit.observing.log_shipping import shipping_logs
from dyber_kit.observing.logs import configure_logging
from dyber_kit.observing.metrics import Metrics
from dyber_kit.observing.tracing import tracing
from dyber_kit.serving.docs import DOCS_PATH, Docs
from dyber_kit.serving.hosts import default_hosts
from dyber_kit.serving.mcp.direct_calls import DirectCalls
from dyber_kit.serving.mcp.exchanges import Exchanges
from dyber_kit.serving.mcp.legacy_sse import LegacySessions, LegacySseMiddleware
from dyber_kit.serving.mcp.mcp_server import KitServer
from dyber_kit.serving.mcp.transport import MCP_PATH, MESSAGE_PATH, SSE_PATH, McpTransport
from dyber_kit.serving.middleware import GatewayMiddleware
from dyber_kit.serving.rest import RestRoute, rest_route
from dyber_kit.serving.routes import ServiceRoute
from dyber_kit.serving.scope_guard import ScopeGuard
from dyber_kit.settings import Settings

# The gateway, or GatewayMiddleware, checks Host and Origin; the SDK's own list would refuse the gateway's host names.
_GATEWAY_CHECKS_HOSTS = TransportSecuritySettings(enable_dns_rebinding_protection=False)

Ready = Callable[[], Awaitable[str | None]]


class NotConfigured(str):
    """Says why calls cannot be served until the operator sets what is missing; no new start would help."""


@dataclass(frozen=True)
class ServiceApp:
    """Holds a finished ASGI application and the parts that a server needs to run it."""

    asgi: GatewayMiddleware
    mcp: KitServer
    calls: Calls
    sessions: LegacySessions
    settings: Settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        await self.asgi(scope, receive, send)


def create_app(
    *,
    name: str,
    title: str,
    version: str,
    instructions: str,
    tools: Sequence[Declaration],
    prompts: Sequence[PromptOffer] = (),
    resources: Sequence[ResourceOffer] = (),
    completions: Sequence[CompletionDeclaration] = (),
    suggestions: SuggestionsOffer | None = None,
    sessions: bool | None = None,
    accounts: Sequence[str] = (),
    rest: Sequence[RestRoute] = (),
    lifespan: Callable[[], AbstractAsyncContextManager[None]] | None = None,
    ready: Ready | None = None,
    details: Callable[[], dict[str, str]] | None = None,
    settings: Settings | None = None,
    metrics: Metrics | None = None,
) -> ServiceApp:
    """Build the application of one service.

    Args:
        name: Service name, for example `xiaohongshu`; the name of its folder.
        title: Name shown to people, in Chinese.
        version: Version of the service.
        instructions: What agents should know before they use the tools.
        tools: The tools, declared with `dyber_kit.tool`, in the order in which agents see them.
        prompts: The prompts, declared with `dyber_kit.prompt`.
        resources: The resources and templates of resources, declared with `dyber_kit.resource`.
        completions: Suggestions for their arguments, declared with `dyber_kit.completion`.
        suggestions: Answers all requests for suggestions, in place of `completions`.
        sessions: Whether older clients (2025-11-25 and before) get a session over Streamable HTTP, in which a running
            call can ask the user. By default they do when a tool asks (`Resolve`). A session lives in this process.
        accounts: Names of the configured accounts. Agents that may use only one do not see the parameters that are
            marked `AccountName`. Without accounts and such parameters, a caller that the gateway limits to some
            accounts may use nothing.
        rest: POST routes for callers that do not speak MCP.
        lifespan: Context that starts what the service needs (a browser); entered once per process.
        ready: Returns None when calls can be served, else the reason why not.
        details: Returns what /ready adds about the service's parts, such as how its browser is isolated.
        settings: Defaults to those of the environment. In read-only mode, tools that write are left out.
        metrics: The service's metrics, when its parts (queue, cache, browser…) use them too.

    Raises:
        ValueError: A tool, a prompt, a resource, a completion or an environment variable is not usable; the message
            says which.
    """
    settings = settings or Settings.from_environment()
    configure_logging(name, settings.log_level)
    metrics = metrics or Metrics(name)
    calls = Calls(metrics, settings.max_call_seconds)
    offered = [declared for declared in tools if declared.read_only or not settings.read_only]
    # Tools that are not offered are built too, so that a mistake in a write tool shows at the first start.
    built = {declared.name: declared.build(calls, settings.max_answer_chars, accounts) for declared in tools}
    if len(built) < len(tools):
        raise ValueError(f"two tools of {name} have the same name")
    built_prompts = {item.name: item.build(calls, settings.max_answer_chars) for item in prompts}
    if len(built_prompts) < len(prompts):
        raise ValueError(f"two prompts of {name} have the same name")
    built_resources = {item.uri: item.build(calls, settings.max_answer_chars) for item in resources}
    if len(built_resources) < len(resources):
        raise ValueError(f"two resources of {name} have the same address")
    declared_offers = [
        item for item in (*prompts, *resources) if isinstance(item, PromptDeclaration | ResourceDeclaration)
    ]
    mcp = KitServer(
        name,
        title=title,
        version=version,
        instructions=instructions,
        log_level="WARNING",
        tools=[built[declared.name] for declared in offered],
        withheld=[tool for name, tool in built.items() if name not in {declared.name for declared in offered}],
        require_scope=settings.require_scope,
        state_key=settings.state_key,
        prompts=list(built_prompts.values()),
        resources=list(built_resources.values()),
        completions=suggestions.build(calls) if suggestions else Completions(completions, declared_offers, calls),
        # The tools never change while the process runs, and a listening stream would delay draining.
        subscriptions=False,
    )
    configure_logging(name, settings.log_level)  # Again, because MCPServer installs its own handlers.
    schemas = {tool.name: tool.parameters for tool in built.values()}
    exchanges = Exchanges(mcp.protocol, schemas, mcp.shows_tool, direct=DirectCalls(mcp))
    if sessions is None:
        sessions = any(built[declared.name].resolved_params for declared in offered)
    sessions_manager = _sessions_manager(mcp, settings) if sessions else None
    sse = mcp.sse_app(sse_path=SSE_PATH, message_path=MESSAGE_PATH, transport_security=_GATEWAY_CHECKS_HOSTS)

    @asynccontextmanager
    async def run_parts(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(shipping_logs(name))
            await stack.enter_async_context(tracing(name, version))
            if lifespan is not None:
                await stack.enter_async_context(lifespan())
            await stack.enter_async_context(exchanges.running())
            if sessions_manager is not None:
                await stack.enter_async_context(sessions_manager.run())
            yield

    about: dict[str, str | int] = {"service": f"{name}-mcp", "version": version, "tools": len(offered)}
    endpoints = [*(route.path for route in rest), MCP_PATH, SSE_PATH, "/health", "/ready", "/metrics", DOCS_PATH]
    routes = common_routes(about, endpoints, calls, metrics, ready, details or dict)
    routes += [rest_route(route, name, calls, settings) for route in rest]
    api = Starlette(
        routes=[
            *(route.served() for route in routes),
            *Docs(title, version, instructions, routes).routes(),
            *sse.routes,
        ],
        exception_handlers={404: no_such_address, HTTPException: _refused},
        lifespan=run_parts,
    )
    legacy_sessions = LegacySessions()
    legacy = LegacySseMiddleware(api, legacy_sessions, SSE_PATH, MESSAGE_PATH)
    transport = McpTransport(legacy, exchanges, settings.max_body_bytes, sessions_manager)
    hosts = settings.allowed_hosts if settings.allowed_hosts is not None else default_hosts(settings.host)
    has_accounts = bool(accounts) or any(tool.names_account for tool in built.values())
    guard = ScopeGuard(transport, settings.require_scope, settings.expect_scope, has_accounts=has_accounts)
    asgi = GatewayMiddleware(guard, calls, hosts, settings.language)
    return ServiceApp(asgi=asgi, mcp=mcp, calls=calls, sessions=legacy_sessions, settings=settings)


async def no_such_address(request: Request, error: Exception) -> JSONResponse:
    """Answer an unknown address with 404; `error` is a text because clients that look for OAuth expect one."""
    return JSONResponse({"error": "not_found", "detail": getattr(error, "detail", "Not Found")}, 404)


async def _refused(_: Request, error: Exception) -> JSONResponse:
    """Answer a refused request with its status and one sentence."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"detail": error.detail}, error.status_code, headers=error.headers)


def _sessions_manager(mcp: MCPServer, settings: Settings) -> StreamableHTTPSessionManager:
    """Return the SDK's manager of Streamable HTTP with sessions, for older clients."""
    mcp.streamable_http_app(
        streamable_http_path=MCP_PATH,
        stateless_http=False,
        json_response=False,
        max_request_body_size=settings.max_body_bytes,
        transport_security=_GATEWAY_CHECKS_HOSTS,
    )
    return mcp.session_manager


def common_routes(
    service: dict[str, str | int],
    endpoints: list[str],
    calls: Calls,
    metrics: Metrics,
    ready: Ready | None,
    details: Callable[[], dict[str, str]] = dict,
) -> list[ServiceRoute]:
    """Return the addresses that every server has: /, /health, /ready and /metrics.

    Args:
        service: Name and version of the server as `service` and `version`, and what else /ready tells.
        endpoints: The addresses that / names.
        calls: The calls, which know whether the server is stopping.
        metrics: What /metrics shows.
        ready: Returns None when calls can be served, else the reason why not.
        details: Returns what /ready adds about parts of the server.
    """
    label, version = str(service["service"]), str(service["version"])

    async def about(_: Request) -> dict[str, str | list[str]]:
        """Return the name, version and endpoints of this service."""
        return {"service": label, "status": "running", "version": version, "endpoints": endpoints}

    async def health(_: Request) -> dict[str, str | float]:
        """Report that the process runs; whether it can serve calls is reported by /ready."""
        return {"status": "healthy", "service": label, "timestamp": time.time()}

    async def is_ready(_: Request) -> JSONResponse:
        """Answer 200 when calls can be served, else 503 with the reason."""
        if calls.draining:
            return JSONResponse({"status": "draining", **service, "reason": tr("The service is stopping")}, 503)
        reason = await ready() if ready is not None else None
        if reason is not None:
            # The health check reads the status: an engine must not wait for what only the operator can mend.
            status = "not_configured" if isinstance(reason, NotConfigured) else "unavailable"
            return JSONResponse({"status": status, **service, **details(), "reason": reason}, 503)
        return JSONResponse({"status": "ready", **service, **details()})

    async def show_metrics(_: Request) -> Response:
        """Return the Prometheus metrics of this process."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return [
        ServiceRoute("/", about),
        ServiceRoute("/health", health),
        ServiceRoute("/ready", is_ready),
        ServiceRoute("/metrics", show_metrics, response_class=Response),
    ]
