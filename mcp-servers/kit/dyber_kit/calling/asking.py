"""Asks the caller's user or model before a tool runs: fills the parameters that are declared with the SDK's `Resolve`.

Clients of the protocol 2026-07-28 get the questions as the answer of the call and repeat it with theirs; older clients
are asked while the call runs, for which they need a session.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.resolve import resolve_arguments
from mcp.server.mcpserver.tools import Tool
from mcp.shared.exceptions import MCPError, NoBackChannelError
from mcp.types import MISSING_REQUIRED_CLIENT_CAPABILITY, InputRequiredResult
from mcp.types.version import MODERN_PROTOCOL_VERSIONS

from dyber_kit.errors import ErrorCode, ServiceError

_ASK_IN_WORDS = "请直接问用户，再用不需要提问的工具；或换用支持提问（elicitation）的客户端"


async def asked(
    tool: Tool, arguments: Mapping[str, Any], context: Context[Any, Any]
) -> dict[str, Any] | InputRequiredResult:
    """Return the values of the tool's resolved parameters, or the questions that the caller has to answer first.

    Raises:
        ServiceError: CONFIRMATION_REQUIRED when the user declined or the answer was not usable; NOT_CONFIGURED when an
            older client cannot be asked.
        MCPError: A client of 2026-07-28 did not declare that it can be asked: the protocol has a code for that.
    """
    try:
        return await resolve_arguments(tool.resolved_params, tool.resolver_plans, arguments, context)
    except ServiceError:
        raise
    except ToolError as refusal:
        raise ServiceError(
            ErrorCode.CONFIRMATION_REQUIRED,
            "用户没有给出此操作需要的回答",
            "请先和用户商量；用户愿意回答时，再用相同的参数调用一次",
        ) from refusal
    except MCPError as error:
        cannot_ask = isinstance(error, NoBackChannelError) or error.error.code == MISSING_REQUIRED_CLIENT_CAPABILITY
        if not cannot_ask or context.protocol_version in MODERN_PROTOCOL_VERSIONS:
            raise
        raise ServiceError(
            ErrorCode.NOT_CONFIGURED, "此操作要先向用户提问，但这个客户端不能提问", _ASK_IN_WORDS
        ) from error
