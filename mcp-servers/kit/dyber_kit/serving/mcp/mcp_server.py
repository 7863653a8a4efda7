"""Extends the SDK's MCP server: it accepts unusual arguments, enforces the caller's scope, and suggests known names."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import cached_property
from typing import Any

from mcp.server import MCPServer
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context, RequestStateSecurity
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp.server.mcpserver.prompts import Prompt as OfferedPrompt
from mcp.server.request_state import AESGCMRequestStateCodec
from mcp.shared.exceptions import MCPError
from mcp.types import (
    METHOD_NOT_FOUND,
    Completion,
    CompletionArgument,
    CompletionContext,
    GetPromptResult,
    InputRequiredResult,
    Prompt,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
)
from mcp.types import Tool as ListedTool
from pydantic import AnyUrl

from dyber_kit.calling.answers import failed
from dyber_kit.calling.arguments.reading import shown_name, similar
from dyber_kit.calling.declared import protocol_error
from dyber_kit.calling.offered import ADDRESS_META, OfferedResource, OfferedTool, Reference, Suggestions
from dyber_kit.calling.scopes import CallerScope, applied_scope, current_scope, request_scope
from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import Text, joined_names, tr, tr_lazy
from dyber_kit.serving.mcp.aliases import use_called_tool
from dyber_kit.serving.mcp.spans import use_spans_of_kit

_LONGEST_ERROR = 1000
_MAX_NAMES = 40
_LONGEST_COMPARED = 128

#: Arguments that are not an object; the SDK would refuse them before the tool can say what it accepts.
_odd_arguments: ContextVar[Any] = ContextVar("odd_arguments", default=None)
#: What a tool has answered already to the call that the SDK is to finish.
_answer: ContextVar[Any] = ContextVar("answer", default=None)


class KitServer(MCPServer):
    """Serves MCP; an error for an unknown name lists the names that the caller may use.

    What the scope of a request excludes is not listed, and is answered like something that does not exist. A tool that
    a group of the gateway renames is called by the name in the header X-Dyber-Tool.

    The state that comes with a question is taken back from the same client only, and by the processes that have the same
    key.

    Args:
        name: Name of the service.
        tools: All its tools; none is added later.
        withheld: Tools that are left out because the service is read-only.
        require_scope: Whether a request without a scope may use nothing.
        prompts: Its prompts.
        resources: Its resources and templates; the first whose address matches is read.
        completions: Its suggestions; without any, clients are not told that there are suggestions.
        state_key: Encrypts the states of questions, at least 32 bytes; None: a random key of this process.
        options: Further arguments of `mcp.server.MCPServer`.
    """

    def __init__(
        self,
        name: str,
        *,
        tools: Sequence[OfferedTool],
        withheld: Iterable[OfferedTool] = (),
        require_scope: bool = False,
        prompts: Sequence[OfferedPrompt] = (),
        resources: Sequence[OfferedResource] = (),
        completions: Suggestions | None = None,
        state_key: str | None = None,
        **options: Any,
    ) -> None:
        security = RequestStateSecurity(codec=_StateCodec(state_key), bind_principal=_client_of)
        super().__init__(name, tools=list(tools), request_state_security=security, **options)
        self._read_only = {tool.name: bool(tool.annotations and tool.annotations.read_only_hint) for tool in tools}
        self._service_tools = {tool.name: tool for tool in tools}
        self._withheld = {tool.name: tool for tool in withheld}
        self._require_scope = require_scope
        # Before everything else, so that spans, questions and answers know a tool by one name.
        use_spans_of_kit(self.middleware)
        self.middleware.insert(0, use_called_tool)
        self.middleware.append(self._apply_scope)
        self._prompt_names = [prompt.name for prompt in prompts]
        self._service_resources = list(resources)
        self.completions = completions
        for prompt in prompts:
            self.add_prompt(prompt)
        if completions is not None and completions.listed:
            self.completion()(self._complete)  # type: ignore[no-untyped-call] # the SDK has no types for it
        self.middleware.append(_accept_odd_arguments)

    @property
    def protocol(self) -> Server[Any]:
        """Return the SDK's protocol server, which `serving.exchanges` asks for answers."""
        return self._lowlevel_server

    async def list_tools(self) -> list[ListedTool]:
        """List the tools that the caller may call, with the arguments that it sees."""
        return [
            listed.model_copy(update={"input_schema": self._service_tools[listed.name].caller_parameters})
            for listed in await super().list_tools()
            if self._allows(listed.name)
        ]

    async def list_contract(self) -> list[ListedTool]:
        """List the tools as the contract has them, with the arguments that the settings keep from agents."""
        return [
            listed.model_copy(update={"input_schema": self._service_tools[listed.name].all_parameters})
            for listed in await self.list_tools()
        ]

    async def call_tool(self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None) -> Any:
        """Call a tool by name; a name that is unknown to the caller is answered with the nearest known names."""
        answer = _answer.get()
        if answer is not None:
            return answer
        if not self._allows(name):
            return failed(self._unknown(name))
        odd_arguments = _odd_arguments.get()
        return await super().call_tool(name, arguments if odd_arguments is None else odd_arguments, context)

    async def list_prompts(self) -> list[Prompt]:
        """List the prompts that the caller may use."""
        return await super().list_prompts() if current_scope.get().allows_prompts_and_resources else []

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None, context: Context[Any, Any] | None = None
    ) -> GetPromptResult | InputRequiredResult:
        """Render a prompt by name; a name that is unknown to the caller is answered with the nearest known names."""
        known = self._prompt_names if current_scope.get().allows_prompts_and_resources else []
        if name not in known:
            raise protocol_error(
                ServiceError(
                    ErrorCode.INVALID_ARGUMENT,
                    tr_lazy("There is no prompt {name}", name=shown_name(name)),
                    _suggested(name, known, tr("Available prompts: {names}", names=_listed(known))),
                )
            )
        return await super().get_prompt(name, arguments, context)

    async def list_resources(self) -> list[Resource]:
        """List the resources that the caller may read, in the order in which the service declared them."""
        listed = [resource.listed for resource in self._readable()]
        return [resource for resource in listed if isinstance(resource, Resource)]

    async def list_resource_templates(self) -> list[ResourceTemplate]:
        """List the templates of resources that the caller may read, in the order of their declaration."""
        listed = [resource.listed for resource in self._readable()]
        return [resource for resource in listed if isinstance(resource, ResourceTemplate)]

    async def read_resource(
        self, uri: AnyUrl | str, context: Context[Any, Any] | None = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        """Read a resource by address.

        Raises:
            ResourceNotFoundError: The caller may read no resource with this address; the message lists those it may.
            MCPError: A failure, with code and next step.
        """
        address = str(uri)
        for resource in self._readable():
            parameters = resource.match(address)
            if parameters is not None:
                return await resource.read(address, parameters, context or Context(mcp_server=self))
        known = [resource.uri for resource in self._readable()]
        next_step = _suggested(address, known, tr("Available resources: {names}", names=_listed(known)))
        raise ResourceNotFoundError(
            ServiceError(ErrorCode.NOT_FOUND, tr_lazy("There is no resource with this address"), next_step).text
        )

    async def _handle_read_resource(
        self, ctx: ServerRequestContext[Any, Any], params: ReadResourceRequestParams
    ) -> ReadResourceResult | InputRequiredResult:
        """Answer as the SDK does, but let a content have another address than the one that was asked for."""
        answer = await super()._handle_read_resource(ctx, params)
        if isinstance(answer, ReadResourceResult):
            for content in answer.contents:
                if content.meta and ADDRESS_META in content.meta:
                    content.uri = content.meta.pop(ADDRESS_META)
                    content.meta = content.meta or None
        return answer

    def _readable(self) -> list[OfferedResource]:
        return self._service_resources if current_scope.get().allows_prompts_and_resources else []

    async def _complete(
        self, reference: Reference, argument: CompletionArgument, context: CompletionContext | None
    ) -> Completion:
        assert self.completions is not None
        filled = (context.arguments if context else None) or {}
        return await self.completions.suggest(reference, argument.name, argument.value, filled)

    def shows_tool(self, name: str, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Return whether a tool exists for the caller of a request with these ASGI headers."""
        return self._allows(name, self.scope_in(headers))

    def scope_in(self, headers: Iterable[tuple[bytes, bytes]]) -> CallerScope:
        """Return what the caller of a request with these ASGI headers may use."""
        return request_scope(headers, required=self._require_scope)

    def tool_for(self, name: str, scope: CallerScope) -> OfferedTool | None:
        """Return a tool by name; None when it does not exist for a caller of this scope."""
        return self._service_tools[name] if self._allows(name, scope) else None

    def _allows(self, name: str, scope: CallerScope | None = None) -> bool:
        """Return whether the tool exists for the caller; both listing and calling ask here."""
        scope = current_scope.get() if scope is None else scope
        return name in self._read_only and scope.allows_tool(name, read_only=self._read_only[name])

    def _unknown(self, name: str) -> ServiceError:
        if name in self._withheld and current_scope.get().allows_tool(name, read_only=False):
            return self._withheld[name].read_only_refusal()
        known = [tool for tool in self._read_only if self._allows(tool)]
        return ServiceError(
            ErrorCode.INVALID_ARGUMENT,
            tr_lazy("There is no tool {name}", name=shown_name(name)),
            _suggested(name, known, tr("Available tools: {names}", names=_listed(known))),
        )

    async def _apply_scope(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Handle a message within the scope of the very HTTP request that brought it."""
        scope = self._scope_of(ctx)
        if ctx.method == "completion/complete" and not scope.allows_prompts_and_resources:
            raise MCPError(code=METHOD_NOT_FOUND, message="Method not found", data=ctx.method)
        with applied_scope(scope):
            return await call_next(ctx)

    def _scope_of(self, ctx: ServerRequestContext[Any, Any]) -> CallerScope:
        return self.scope_in(ctx.request.scope["headers"] if ctx.request is not None else ())


class _StateCodec:
    """Seals states by the SDK's codec, which is made for the first state: it needs `cryptography`, which is large.

    Args:
        key: The key that replicas share; None for a random key of this process.
    """

    def __init__(self, key: str | None) -> None:
        self._key = key or os.urandom(32)

    @cached_property
    def _codec(self) -> AESGCMRequestStateCodec:
        return AESGCMRequestStateCodec([self._key])

    def seal(self, payload: bytes) -> str:
        return self._codec.seal(payload)

    def unseal(self, token: str) -> bytes:
        return self._codec.unseal(token)


def _client_of(ctx: ServerRequestContext[Any, Any]) -> str:
    """Return the client that the gateway names in the HTTP request of a message; "" without any."""
    return ctx.request.headers.get("x-dyber-client", "") if ctx.request is not None else ""


def _suggested(name: str, known: list[str], listing: str) -> Text | str:
    """Return a next step: the known name that is nearest to `name`, if there is any, and the list of known names."""
    near = similar(name, known) if len(name) <= _LONGEST_COMPARED else None
    return listing if near is None else tr_lazy("The nearest is {name}. {listing}", name=near, listing=listing)


def _listed(known: list[str]) -> str:
    return joined_names(known[:_MAX_NAMES]) or tr("none")


async def _accept_odd_arguments(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Accept arguments that are null or JSON text, and shorten errors that repeat the request."""
    token = _odd_arguments.set(None)
    try:
        if ctx.method == "tools/call" and ctx.params is not None:
            arguments = ctx.params.get("arguments")
            if not isinstance(arguments, dict):
                _odd_arguments.set(arguments)
                ctx = replace(ctx, params={**ctx.params, "arguments": {}})
        return await call_next(ctx)
    except MCPError as error:
        raise shortened(error) from None
    finally:
        _odd_arguments.reset(token)


@contextmanager
def answered(answer: Any) -> Iterator[None]:
    """Let the SDK finish a call within this context, whose tool has run already and returned `answer`."""
    token = _answer.set(answer)
    try:
        yield
    finally:
        _answer.reset(token)


def shortened(error: MCPError) -> MCPError:
    """Return an error that does not repeat much of the request."""
    data = error.error.data
    if len(error.error.message) <= _LONGEST_ERROR and len(json.dumps(data, default=str)) <= _LONGEST_ERROR:
        return error
    return MCPError(code=error.error.code, message=error.error.message[:_LONGEST_ERROR])
