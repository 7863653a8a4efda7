"""Finds out which tool a call means, when a group of the gateway shows the tool under another name.

A client of such a group calls the tool by the name that it sees. The gateway adds the name that the service knows, in a
header that callers cannot set, because the gateway overwrites it in every request. The body stays as the client sent it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

#: Name of the called tool as the service knows it; without the header, the name in the body counts.
TOOL_HEADER = "X-Dyber-Tool"

#: The same as ASGI servers give it.
_RAW_TOOL_HEADER = TOOL_HEADER.lower().encode()
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
# No tool has a name with spaces, so a call with this name is answered as a call of an unknown tool.
_NAME_OF_NO_TOOL = f"unusable header {TOOL_HEADER}"


def called_tool(name: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the name of the tool that a call means.

    Args:
        name: The name in the body.
        headers: ASGI headers of the request.

    Returns:
        The name in the header X-Dyber-Tool; `name` without the header; a name that no tool has when the header cannot
        be read or is there twice.
    """
    values = [value.decode("latin-1") for key, value in headers if key == _RAW_TOOL_HEADER]
    if not values:
        return name
    if len(values) == 1 and _NAME.fullmatch(values[0]):
        return values[0]
    return _NAME_OF_NO_TOOL


async def use_called_tool(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Handle a call under the name of the tool that it means."""
    params = ctx.params
    if ctx.method == "tools/call" and params is not None and ctx.request is not None:
        name = params.get("name")
        if isinstance(name, str):
            called = called_tool(name, ctx.request.scope["headers"])
            ctx = replace(ctx, params={**params, "name": called}) if called != name else ctx
    return await call_next(ctx)
