"""Represents a call that is answered without the SDK, whose context of the call is made only for tools that use it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from mcp.server.mcpserver import Context


class DirectRequest:
    """Represents the request of a call that wants no progress and answers no questions.

    Args:
        version: Its protocol version.
        headers: The headers of the HTTP request.
        capabilities: What the client says it can do, as it sent it; empty for clients that do not say so in a call.
        make_context: Makes the SDK's context of the call.
    """

    __slots__ = ("_context", "_make_context", "capabilities", "headers", "version")

    def __init__(
        self,
        version: str,
        headers: Mapping[str, str],
        capabilities: Mapping[str, Any],
        make_context: Callable[[], Context[Any, Any]],
    ) -> None:
        self.version = version
        self.headers = headers
        self.capabilities = capabilities
        self._make_context = make_context
        self._context: Context[Any, Any] | None = None

    @property
    def context(self) -> Context[Any, Any]:
        """Return the SDK's context of the call."""
        if self._context is None:
            self._context = self._make_context()
        return self._context


#: What a tool gets of its call.
CallContext: TypeAlias = Context[Any, Any] | DirectRequest


def sdk_context(call: CallContext) -> Context[Any, Any]:
    """Return the SDK's context of a call."""
    return call.context if isinstance(call, DirectRequest) else call


def protocol_version(call: CallContext) -> str | None:
    """Return the protocol version of a call; None for calls from inside the process."""
    return call.version if isinstance(call, DirectRequest) else call.protocol_version
