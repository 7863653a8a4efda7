"""Answers ordinary calls of tools without the SDK's models of requests and results, which take most of a call's time.

An ordinary call names a tool that its caller may use, and asks for nothing but the result: it wants no progress, answers
no questions and begins no task. Its tool runs as in every other call. The SDK still answers all other requests, and
finishes ordinary calls whose result is more than texts and a structure, such as pictures or questions for the user.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError
from mcp.types import SERVER_INFO_META_KEY, CallToolResult, TextContent
from mcp.types import methods as protocol_methods
from mcp.types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_json

from dyber_kit.calling.direct import DirectRequest
from dyber_kit.calling.offered import OfferedTool
from dyber_kit.calling.scopes import CallerScope, applied_scope
from dyber_kit.observing import tracing
from dyber_kit.serving.mcp.aliases import called_tool
from dyber_kit.serving.mcp.mcp_server import KitServer, shortened
from dyber_kit.serving.mcp.spans import note_refusal, note_result

RawHeaders = Iterable[tuple[bytes, bytes]]

_ORDINARY = frozenset(("name", "arguments", "_meta"))
#: What differs in the `_meta` of each call of a client.
_TRACE = frozenset(("traceparent", "tracestate", "baggage"))
_LONGEST_META = 4096
_MOST_METAS = 256


@dataclass(frozen=True, slots=True)
class DirectCall:
    """Holds an ordinary call: the tool, its arguments, the protocol version, and what the caller may use."""

    tool: OfferedTool
    arguments: dict[str, Any]
    version: str
    scope: CallerScope


class DirectCalls:
    """Runs ordinary calls of the tools of a server.

    Args:
        server: Has the tools, and decides who may use them.
    """

    def __init__(self, server: KitServer) -> None:
        self._server = server
        self._known_metas: set[tuple[bool, bytes]] = set()
        self._server_info = server.protocol.server_info_stamp

    def read(self, message: dict[str, Any], version: str, headers: RawHeaders) -> DirectCall | None:
        """Return the call in a request; None when it is not an ordinary one.

        Args:
            message: A JSON-RPC request whose headers fit it.
            version: The request's protocol version.
            headers: Its ASGI headers.
        """
        params = message.get("params")
        if message["method"] != "tools/call" or not params or not params.keys() <= _ORDINARY:
            return None
        name, arguments = params.get("name"), params.get("arguments")
        if not isinstance(name, str) or not isinstance(arguments, dict):
            return None
        scope = self._server.scope_in(headers)
        tool = self._server.tool_for(called_tool(name, headers), scope)
        if tool is None or tool.resolved_params or not self._accepts(params.get("_meta"), version):
            return None
        return DirectCall(tool, arguments, version, scope)

    async def run(self, call: DirectCall, request: DirectRequest) -> Any:
        """Return the tool's answer, as it returns it to the SDK.

        Raises:
            MCPError: A failure that the protocol itself answers.
        """
        try:
            with applied_scope(call.scope):
                answer = await call.tool.run(call.arguments, request, convert_result=True)
        except MCPError as error:
            note_refusal(tracing.current(), error)
            raise shortened(error) from None
        note_result(tracing.current(), "tools/call", answer)
        return answer

    def context(self, request: ServerRequestContext[Any, Any]) -> Context[Any, Any]:
        """Return the SDK's context of a call, for tools that look at it."""
        return Context(request_context=request, mcp_server=self._server, subscriptions=self._server._subscriptions)

    def wire_result(self, result: Any, version: str) -> dict[str, Any] | None:
        """Return a tool's answer as the SDK writes it for a protocol version; None when only the SDK can write it."""
        if type(result) is not CallToolResult or result.result_type != "complete":
            return None
        parts = []
        for part in result.content:
            if type(part) is not TextContent or part.annotations is not None or part.meta is not None:
                return None
            parts.append({"type": "text", "text": part.text})
        is_modern = version in MODERN_PROTOCOL_VERSIONS
        structure = result.structured_content
        if structure is not None and not is_modern and not isinstance(structure, dict):
            return None
        meta: dict[str, Any] = dict(result.meta or {})
        if is_modern:
            meta.setdefault(SERVER_INFO_META_KEY, self._server_info)
        return {
            **({"_meta": meta} if meta else {}),
            "content": parts,
            **({} if structure is None else {"structuredContent": structure}),
            "isError": result.is_error,
            **({"resultType": "complete"} if is_modern else {}),
        }

    def _accepts(self, meta: Any, version: str) -> bool:
        """Return whether the SDK accepts the `_meta` of a call, and the call wants no progress.

        The SDK's models check it once for each different one, which is once for each client.
        """
        is_modern = version in MODERN_PROTOCOL_VERSIONS
        if meta is None:
            return not is_modern and version in HANDSHAKE_PROTOCOL_VERSIONS
        if not isinstance(meta, dict) or "progressToken" in meta:
            return False
        lasting = {name: value for name, value in meta.items() if name not in _TRACE}
        try:
            key = (is_modern, to_json(lasting))
        except PydanticSerializationError:  # Such as too many levels.
            return False
        if key in self._known_metas:
            return True
        if len(key[1]) > _LONGEST_META:
            return False
        try:
            protocol_methods.validate_client_request("tools/call", version, {"name": "any", "_meta": meta})
        except (KeyError, ValueError, ValidationError):
            return False
        if len(self._known_metas) >= _MOST_METAS:
            self._known_metas.clear()
        self._known_metas.add(key)
        return True
