"""Extends the SDK's MCP server: it accepts unusual arguments, keeps to the caller's scope, and suggests known tools."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from mcp.server import MCPServer
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp.server.mcpserver.tools import Tool
from mcp.shared.exceptions import MCPError
from mcp.types import METHOD_NOT_FOUND, Prompt, Resource, ResourceTemplate
from mcp.types import Tool as ListedTool

from dyber_kit.calling.answers import failed
from dyber_kit.calling.arguments import shown_name, similar
from dyber_kit.calling.scopes import CallerScope, current_scope, request_scope
from dyber_kit.errors import KINDS, ErrorCode, ServiceError

_LONGEST_ERROR = 1000
_MAX_NAMES = 40

#: Arguments that are not an object; the SDK would refuse them before the tool can say what it accepts.
_odd_arguments: ContextVar[Any] = ContextVar("odd_arguments", default=None)


class KitServer(MCPServer):
    """Serves MCP; an error for an unknown tool lists the tools that the caller may use.

    What the scope of a request excludes is not listed, and is answered like something that does not exist.

    Args:
        name: Name of the service.
        tools: All its tools; none is added later.
        withheld: Names of tools that are left out because the service is read-only.
        require_scope: Whether a request without a scope may use nothing.
        options: Further arguments of `mcp.server.MCPServer`.
    """

    def __init__(
        self,
        name: str,
        *,
        tools: Sequence[Tool],
        withheld: Iterable[str] = (),
        require_scope: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(name, tools=list(tools), **options)
        self._read_only = {tool.name: bool(tool.annotations and tool.annotations.read_only_hint) for tool in tools}
        self._withheld = frozenset(withheld)
        self._require_scope = require_scope
        self.middleware.append(self._apply_scope)
        self.middleware.append(_accept_odd_arguments)

    async def list_tools(self) -> list[ListedTool]:
        """List the tools that the caller may call."""
        return [tool for tool in await super().list_tools() if self._allows(tool.name)]

    async def call_tool(self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None) -> Any:
        """Call a tool by name; a name that is unknown to the caller is answered with the nearest known names."""
        if not self._allows(name):
            return failed(self._unknown(name))
        odd_arguments = _odd_arguments.get()
        return await super().call_tool(name, arguments if odd_arguments is None else odd_arguments, context)

    async def list_prompts(self) -> list[Prompt]:
        """List the prompts that the caller may use."""
        return await super().list_prompts() if current_scope.get().allows_prompts_and_resources else []

    async def list_resources(self) -> list[Resource]:
        """List the resources that the caller may read."""
        return await super().list_resources() if current_scope.get().allows_prompts_and_resources else []

    async def list_resource_templates(self) -> list[ResourceTemplate]:
        """List the templates of resources that the caller may read."""
        return await super().list_resource_templates() if current_scope.get().allows_prompts_and_resources else []

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None, context: Context[Any, Any] | None = None
    ) -> Any:
        """Return a prompt; one that the caller may not use is unknown, in the words of the SDK."""
        if not current_scope.get().allows_prompts_and_resources:
            raise ValueError(f"Unknown prompt: {name}")
        return await super().get_prompt(name, arguments, context)

    async def read_resource(self, uri: Any, context: Context[Any, Any] | None = None) -> Any:
        """Return a resource; one that the caller may not read is unknown, in the words of the SDK."""
        if not current_scope.get().allows_prompts_and_resources:
            raise ResourceNotFoundError(f"Unknown resource: {uri}")
        return await super().read_resource(uri, context)

    def _allows(self, name: str) -> bool:
        """Return whether the tool exists for the caller; both listing and calling ask here."""
        return name in self._read_only and current_scope.get().allows_tool(name, read_only=self._read_only[name])

    def _unknown(self, name: str) -> ServiceError:
        if name in self._withheld and current_scope.get().allows_tool(name, read_only=False):
            kind = KINDS[ErrorCode.READ_ONLY]
            return ServiceError(ErrorCode.READ_ONLY, f"{kind.message}，没有提供会修改平台内容的工具 {name}")
        known = [tool for tool in self._read_only if self._allows(tool)]
        near = similar(name, known) if len(name) <= 128 else None
        hint = f"最接近的是 {near}。" if near else ""
        names = "、".join(known[:_MAX_NAMES]) or "无"
        return ServiceError(
            ErrorCode.INVALID_ARGUMENT, f"没有名为 {shown_name(name)} 的工具", f"{hint}可用的工具：{names}"
        )

    async def _apply_scope(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Handle a message within the scope of the very HTTP request that brought it."""
        scope = self._scope_of(ctx)
        if ctx.method == "completion/complete" and not scope.allows_prompts_and_resources:
            raise MCPError(code=METHOD_NOT_FOUND, message="Method not found", data=ctx.method)
        token = current_scope.set(scope)
        try:
            return await call_next(ctx)
        finally:
            current_scope.reset(token)

    def _scope_of(self, ctx: ServerRequestContext[Any, Any]) -> CallerScope:
        return request_scope(
            ctx.request.scope["headers"] if ctx.request is not None else (), required=self._require_scope
        )


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
        raise _shortened(error) from None
    finally:
        _odd_arguments.reset(token)


def _shortened(error: MCPError) -> MCPError:
    data = error.error.data
    if len(error.error.message) <= _LONGEST_ERROR and len(json.dumps(data, default=str)) <= _LONGEST_ERROR:
        return error
    return MCPError(code=error.error.code, message=error.error.message[:_LONGEST_ERROR])
