"""Answers the MCP requests of one address: lists from what is known, everything else by the service that it is for."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from dyber_kit.calling.arguments.reading import shown_name
from dyber_kit.calling.calls import Calls
from dyber_kit.calling.declared import protocol_error
from dyber_kit.errors import ERROR_META, ServiceError
from dyber_kit.language import joined_names
from dyber_kit.serving.mcp.spans import use_spans_of_kit
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    CompletionsCapability,
    DiscoverResult,
    LoggingMessageNotification,
    PromptsCapability,
    RequestParams,
    ResourcesCapability,
    ServerCapabilities,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    ToolsCapability,
)
from mcp.types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from dyber_hub.catalogue import Item
from dyber_hub.forwarding.failures import Failure
from dyber_hub.forwarding.gateway import Caller, Gateway
from dyber_hub.lists.instructions import instructions
from dyber_hub.lists.listing import FRESH_TTL_MS, LIST_METHODS, Lists, decoded
from dyber_hub.nearest import nearest_names
from dyber_hub.scopes import ALL_SERVICES, NO_SERVICE, HubScope, request_hub_scope
from dyber_hub.texts import tr
from dyber_hub.views import ShownTool, View

#: Error code of an unknown resource for clients of 2025-11-25 and before; later ones get INVALID_PARAMS.
_LEGACY_RESOURCE_NOT_FOUND = -32002

Context = ServerRequestContext[Any, Any]
Listen = Callable[[Context, SubscriptionsListenRequestParams], Awaitable[SubscriptionsListenResult]]


class HubServer(Server[Any]):
    """Serves one address of the hub.

    Args:
        view: What the address offers.
        lists: Answers its lists.
        gateway: Reaches the services.
        calls: Counts and limits the calls.
        version: Version of the hub.
        require_scope: Whether a request without a scope may use nothing.
        listen: Answers subscriptions; None for an address that has none.
        name: Name of the server for clients; None for that of the view.
    """

    def __init__(
        self,
        view: View,
        lists: Lists,
        gateway: Gateway,
        calls: Calls,
        *,
        version: str,
        require_scope: bool,
        listen: Listen | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name or view.name, version=version, title=view.title, on_subscriptions_listen=listen)
        self.view = view
        self._lists = lists
        self._gateway = gateway
        self._calls = calls
        self._require_scope = require_scope
        self._forwarded: dict[str, Callable[[Context, Item, HubScope], Awaitable[Item]]] = {
            "tools/call": self._call_tool,
            "prompts/get": self._get_prompt,
            "resources/read": self._read_resource,
            "completion/complete": self._complete,
        }
        self.add_request_handler("server/discover", RequestParams, self._discover)
        use_spans_of_kit(self.middleware)
        self.middleware.append(self._answer)

    def scope_of(self, ctx: Context) -> HubScope:
        """Return what the caller may use, from the very HTTP request that brought the message."""
        if ctx.request is None:
            return NO_SERVICE if self._require_scope else ALL_SERVICES
        return request_hub_scope(ctx.request.scope["headers"], required=self._require_scope)

    def caller_of(self, ctx: Context) -> Caller:
        """Return in whose name a message is handled."""
        return Caller.of(ctx.request.scope["headers"] if ctx.request is not None else (), self.scope_of(ctx))

    async def call(
        self, shown: ShownTool, params: Item, ctx: Context, *, repeated: Mapping[str, str] | None = None
    ) -> Item:
        """Return the result of a call of a tool; a failure of the service is a result with `isError`.

        Args:
            shown: The tool, which the caller may use.
            params: The parameters of the call; the name is that of `shown`.
            ctx: The request, in whose name and era the service is called; it gets the progress.
            repeated: The headers that repeat arguments of the call; None for those of the request.

        Raises:
            MCPError: The service answered with an error of the protocol.
        """
        alias = shown.tool.name if shown.is_renamed else None

        async def forward() -> Item:
            try:
                return await self._send(shown.service, "tools/call", params, ctx, tool=alias, repeated=repeated)
            except Failure as failure:
                return failure.result()

        return await self.counted(shown.tool.name, forward, ctx)

    async def counted(self, tool: str, call: Callable[[], Awaitable[Item]], ctx: Context) -> Item:
        """Return the result of a call that is counted and limited in time; its failure is a result with `isError`.

        Args:
            tool: Canonical name of the tool.
            call: Carries out the call.
            ctx: The request, whose era the result is for.
        """
        try:
            result = await self._calls.run(tool, call)
        except ServiceError as error:
            result = {
                "content": [{"type": "text", "text": error.text}],
                "isError": True,
                "_meta": {ERROR_META: error.details},
            }
        return for_era(result, ctx.protocol_version)

    def get_capabilities(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
        *,
        protocol_version: str | None = None,
    ) -> ServerCapabilities:
        """Return what the address can do for a caller who may use all of it."""
        return self._capabilities(ALL_SERVICES, protocol_version in MODERN_PROTOCOL_VERSIONS)

    def about(self, scope: HubScope) -> str:
        """Return what agents of a caller are told about the address."""
        return instructions(self.view, self.view.visible_services(scope), scope)

    async def _discover(self, ctx: Context, params: RequestParams | None) -> DiscoverResult:
        scope = self.scope_of(ctx)
        return DiscoverResult(
            supported_versions=list(MODERN_PROTOCOL_VERSIONS),
            capabilities=self._capabilities(scope, is_modern=True),
            instructions=self.about(scope),
            ttl_ms=FRESH_TTL_MS,
            cache_scope="private",
        )

    def _capabilities(self, scope: HubScope, is_modern: bool) -> ServerCapabilities:
        contents = self.view.contents
        changes = is_modern and self.get_request_handler("subscriptions/listen") is not None
        has_prompts = any(offer.allowed(scope) for offer in contents.prompts.values())
        resources = (*contents.resources.values(), *contents.templates.values())
        completes = any(scope.of(name).allows_prompts_and_resources for name in contents.completable)
        return ServerCapabilities(
            tools=ToolsCapability(list_changed=changes),
            prompts=PromptsCapability(list_changed=changes) if has_prompts else None,
            resources=ResourcesCapability(list_changed=changes)
            if any(offer.allowed(scope) for offer in resources)
            else None,
            completions=CompletionsCapability() if completes else None,
        )

    async def _answer(self, ctx: Context, call_next: CallNext) -> HandlerResult:
        """Answer lists and requests for services here; leave all others to the SDK.

        What is answered here is passed on as it is: the SDK would leave out fields that it does not know.
        """
        if ctx.request_id is None:
            return await call_next(ctx)
        if ctx.method == "initialize":
            return await self._initialize(ctx, call_next)
        if ctx.method in LIST_METHODS:
            return decoded(self._lists.answer(ctx.method, ctx.params, ctx.protocol_version, self.scope_of(ctx)))
        forward = self._forwarded.get(ctx.method)
        if forward is None:
            return await call_next(ctx)
        return await forward(ctx, dict(ctx.params or {}), self.scope_of(ctx))

    async def _initialize(self, ctx: Context, call_next: CallNext) -> HandlerResult:
        """Answer a client of 2025-11-25 or before; the SDK's answer is the same for every caller but for this text."""
        result = await call_next(ctx)
        return {**result, "instructions": self.about(self.scope_of(ctx))} if isinstance(result, dict) else result

    async def _call_tool(self, ctx: Context, params: Item, scope: HubScope) -> Item:
        name = text_in(params, "name")
        shown = self.view.tool(name, scope)
        if shown is None:
            raise unknown_tool(name, self.view.spellings(scope))
        return await self.call(shown, params, ctx)

    async def _get_prompt(self, ctx: Context, params: Item, scope: HubScope) -> Item:
        name = text_in(params, "name")
        offer = self.view.contents.prompts.get(name)
        if offer is None or not offer.allowed(scope):
            raise self._unknown_prompt(name, scope)
        return await self._forward(offer.service, name, params, ctx)

    def _unknown_prompt(self, name: str, scope: HubScope) -> MCPError:
        prompts = {known: known for known, offer in self.view.contents.prompts.items() if offer.allowed(scope)}
        nearest = nearest_names(name, prompts)
        if not nearest:
            return MCPError(INVALID_PARAMS, tr("Unknown prompt: {name}", name=shown_name(name)))
        return MCPError(
            INVALID_PARAMS,
            tr("Unknown prompt: {name}; the nearest: {names}", name=shown_name(name), names=joined_names(nearest)),
        )

    async def _read_resource(self, ctx: Context, params: Item, scope: HubScope) -> Item:
        uri = text_in(params, "uri")
        service = self.view.contents.resource_service(uri, scope)
        if service is None:
            is_modern = ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
            code = INVALID_PARAMS if is_modern else _LEGACY_RESOURCE_NOT_FOUND
            raise MCPError(code, tr("There is no resource with this address"), {"uri": uri[:2000]})
        return await self._forward(service, "resource", params, ctx)

    async def _complete(self, ctx: Context, params: Item, scope: HubScope) -> Item:
        reference = params.get("ref")
        if not isinstance(reference, dict):
            raise _invalid()
        contents = self.view.contents
        if reference.get("type") == "ref/prompt":
            offer = contents.prompts.get(text_in(reference, "name"))
        elif reference.get("type") == "ref/resource":
            uri = text_in(reference, "uri")
            offer = contents.templates.get(uri) or contents.resources.get(uri)
        else:
            raise _invalid()
        if offer is None or not offer.allowed(scope):
            raise MCPError(INVALID_PARAMS, tr("There is no such prompt or resource"))
        if offer.service not in contents.completable:
            nothing = {"completion": {"values": [], "total": 0, "hasMore": False}}
            return for_era(nothing, ctx.protocol_version)
        return await self._forward(offer.service, "completion", params, ctx)

    async def _forward(self, service: str, counted_as: str, params: Item, ctx: Context) -> Item:
        """Return a service's answer to a request that has no form for a failure but an error of the protocol."""
        try:
            return await self._calls.run(counted_as, lambda: self._send_or_raise(service, params, ctx))
        except ServiceError as error:
            raise protocol_error(error) from None

    async def _send_or_raise(self, service: str, params: Item, ctx: Context) -> Item:
        try:
            return await self._send(service, ctx.method, params, ctx)
        except Failure as failure:
            raise failure.error() from None

    async def _send(
        self,
        service: str,
        method: str,
        params: Item,
        ctx: Context,
        *,
        tool: str | None = None,
        repeated: Mapping[str, str] | None = None,
    ) -> Item:
        caller = self.caller_of(ctx)
        return await self._gateway.request(
            service,
            method,
            params,
            ctx.protocol_version,
            caller if repeated is None else caller.repeating(repeated),
            tool=tool,
            notify=lambda message: _pass_on(message, ctx),
        )


async def _pass_on(message: Item, ctx: Context) -> None:
    """Send a service's progress or log message to the client whose request it is about; leave out all others."""
    params = message.get("params")
    if not isinstance(params, dict):
        return
    if message["method"] == "notifications/progress":
        token = (ctx.params or {}).get("_meta", {}).get("progressToken")
        if token is not None and params.get("progressToken") == token:
            await ctx.session.report_progress(params.get("progress", 0), params.get("total"), params.get("message"))
    elif message["method"] == "notifications/message":
        try:
            notification = LoggingMessageNotification.model_validate(message)
        except ValidationError:
            return
        await ctx.session.send_notification(notification, ctx.request_id)


def for_era(result: Item, version: str) -> Item:
    """Return a result with what the client's era requires.

    Clients of 2025-11-25 and before read a structure only when it is an object; another value is added as text.
    """
    if version in MODERN_PROTOCOL_VERSIONS:
        return result if "resultType" in result else {**result, "resultType": "complete"}
    structure = result.get("structuredContent")
    if structure is None or isinstance(structure, dict):
        return result
    kept: Item = {name: value for name, value in result.items() if name != "structuredContent"}
    content = kept.get("content")
    if not content:
        kept["content"] = [{"type": "text", "text": json.dumps(structure, ensure_ascii=False)}]
    return kept


def text_in(params: Mapping[str, Any], name: str) -> str:
    """Return a parameter that must be a text. Raises MCPError when it is none."""
    value = params.get(name)
    if not isinstance(value, str):
        raise _invalid()
    return value


def unknown_tool(name: str, spellings: Mapping[str, str]) -> MCPError:
    """Return the answer to a call of a tool that does not exist for the caller.

    Args:
        name: What the caller called.
        spellings: The tools that the caller may call, as for `nearest_names`; no other is named.
    """
    nearest = nearest_names(name, spellings)
    if not nearest:
        return MCPError(
            INVALID_PARAMS, tr("Unknown tool: {name}; use a name from the list of tools", name=shown_name(name))
        )
    return MCPError(
        INVALID_PARAMS,
        tr("Unknown tool: {name}; the nearest: {names}", name=shown_name(name), names=joined_names(nearest)),
    )


def _invalid() -> MCPError:
    return MCPError(INVALID_PARAMS, "Invalid request parameters", "")
