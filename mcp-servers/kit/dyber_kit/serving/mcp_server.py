"""Extends the SDK's MCP server: it accepts unusual arguments, and suggests known tools for unknown names."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from mcp.server import MCPServer
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.shared.exceptions import MCPError

from dyber_kit.calling.answers import failed
from dyber_kit.calling.arguments import shown_name, similar
from dyber_kit.errors import KINDS, ErrorCode, ServiceError

_LONGEST_ERROR = 1000
_MAX_NAMES = 40

#: Arguments that are not an object; the SDK would refuse them before the tool can say what it accepts.
_odd_arguments: ContextVar[Any] = ContextVar("odd_arguments", default=None)


class KitServer(MCPServer):
    """Serves MCP; an error for an unknown tool lists the tools that exist.

    Args:
        name: Name of the service.
        tools: All its tools; none is added later.
        withheld: Names of tools that are left out because the service is read-only.
        options: Further arguments of `mcp.server.MCPServer`.
    """

    def __init__(self, name: str, *, tools: Sequence[Tool], withheld: Iterable[str] = (), **options: Any) -> None:
        super().__init__(name, tools=list(tools), **options)
        self._names = [tool.name for tool in tools]
        self._withheld = frozenset(withheld)
        self.middleware.append(_accept_odd_arguments)

    @property
    def protocol(self) -> Server[Any]:
        """Return the SDK's protocol server, which `serving.exchanges` asks for answers."""
        return self._lowlevel_server

    async def call_tool(self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None) -> Any:
        """Call a tool by name; an unknown name is answered with the nearest known names."""
        if name not in self._names:
            return failed(self._unknown(name))
        odd_arguments = _odd_arguments.get()
        return await super().call_tool(name, arguments if odd_arguments is None else odd_arguments, context)

    def _unknown(self, name: str) -> ServiceError:
        if name in self._withheld:
            kind = KINDS[ErrorCode.READ_ONLY]
            return ServiceError(ErrorCode.READ_ONLY, f"{kind.message}，没有提供会修改平台内容的工具 {name}")
        near = similar(name, self._names) if len(name) <= 128 else None
        hint = f"最接近的是 {near}。" if near else ""
        names = "、".join(self._names[:_MAX_NAMES]) or "无"
        return ServiceError(
            ErrorCode.INVALID_ARGUMENT, f"没有名为 {shown_name(name)} 的工具", f"{hint}可用的工具：{names}"
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
