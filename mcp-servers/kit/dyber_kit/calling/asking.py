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
from dyber_kit.language import tr_lazy

_ASK_IN_WORDS = tr_lazy(
    "Ask the user yourself and use a tool that asks nothing; or use a client that can ask (elicitation)"
)


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
            tr_lazy("The user did not give the answer that this operation needs"),
            tr_lazy("Talk with the user first; when they want to answer, call again with the same arguments"),
        ) from refusal
    except MCPError as error:
        cannot_ask = isinstance(error, NoBackChannelError) or error.error.code == MISSING_REQUIRED_CLIENT_CAPABILITY
        if not cannot_ask or context.protocol_version in MODERN_PROTOCOL_VERSIONS:
            raise
        raise ServiceError(
            ErrorCode.NOT_CONFIGURED,
            tr_lazy("This operation asks the user first, but this client cannot ask"),
            _ASK_IN_WORDS,
        ) from error
