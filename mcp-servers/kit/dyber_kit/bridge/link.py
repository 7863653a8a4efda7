"""Speaks MCP with one foreign server as its client, in the era that the server knows, and offers it nothing."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import anyio
import anyio.abc
from mcp.shared._stream_protocols import ReadStream, WriteStream
from mcp.shared.dispatcher import CallOptions, DispatchContext, ProgressFnT
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import (
    MCP_METHOD_HEADER,
    MCP_NAME_HEADER,
    MCP_PROTOCOL_VERSION_HEADER,
    NAME_BEARING_METHODS,
    encode_header_value,
    mcp_param_headers,
    x_mcp_header_map,
)
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp.shared.message import SessionMessage
from mcp.shared.transport_context import TransportContext
from mcp.types import (
    CLIENT_CAPABILITIES_META_KEY,
    CLIENT_INFO_META_KEY,
    CONNECTION_CLOSED,
    METHOD_NOT_FOUND,
    PROTOCOL_VERSION_META_KEY,
)
from mcp.types.version import HANDSHAKE_PROTOCOL_VERSIONS, LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION

from dyber_kit.bridge.listing import Listed
from dyber_kit.bridge.masking import Masker
from dyber_kit.bridge.metrics import BridgeMetrics
from dyber_kit.bridge.settings import Era
from dyber_kit.language import tr
from dyber_kit.observing import tracing
from dyber_kit.serving.mcp.spans import client_span, note_result

logger = logging.getLogger("dyber.child")

CLIENT_INFO = {"name": "dyber-bridge", "version": "1.0.0"}
_MAX_PAGES = 100
_LONGEST_LOGGED = 8 * 1024
_LOG_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "notice": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.ERROR,
    "alert": logging.ERROR,
    "emergency": logging.ERROR,
}

_LIST_CHANGED = tuple(f"notifications/{kind}/list_changed" for kind in ("tools", "prompts", "resources"))

OnListChanged = Callable[[], Awaitable[None]]


class Requests(Protocol):
    """Sends requests without the dispatcher, and returns their results."""

    async def request(self, method: str, params: Mapping[str, Any], *, cancel: bool) -> dict[str, Any]:
        """Return the result; see `dyber_kit.bridge.transports.stdio.ChildInput.request`."""

    def close(self) -> None:
        """End all waiting for results."""


class HandshakeError(Exception):
    """Says why a foreign server cannot be spoken with."""


@dataclass(frozen=True)
class About:
    """Holds what a foreign server says of itself."""

    instructions: str | None
    protocol_version: str
    #: Names of what it can do, such as `prompts`.
    capabilities: frozenset[str]


class Link:
    """Represents the connection to one running foreign server.

    Args:
        read: Its messages.
        write: Takes messages for it.
        era: The era of the protocol that it speaks.
        masker: Masks what it logs.
        metrics: Where its requests are counted.
        is_http: Whether requests need the headers of the HTTP transport.
        requests: Takes requests whose caller wants nothing but the answer; None when the dispatcher takes these too.
    """

    def __init__(
        self,
        read: ReadStream[SessionMessage | Exception],
        write: WriteStream[SessionMessage],
        era: Era,
        masker: Masker,
        metrics: BridgeMetrics,
        *,
        is_http: bool = False,
        requests: Requests | None = None,
    ) -> None:
        self.dispatcher: JSONRPCDispatcher[TransportContext] = JSONRPCDispatcher(read, write)
        self.era = era
        self.on_list_changed: OnListChanged | None = None
        #: The schemas as the server lists them, for the headers that repeat arguments.
        self.listed_schemas: dict[str, Any] = {}
        #: Names of what the server says it can do, such as `prompts`; known after the handshake.
        self.capabilities: frozenset[str] = frozenset()
        self._masker = masker
        self._metrics = metrics
        self._is_http = is_http
        self._requests = requests
        self._version = LATEST_MODERN_VERSION if era == "modern" else ""

    async def run(self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Handle the server's messages until its stream ends; requests can be sent once this has started."""
        try:
            await self.dispatcher.run(self._refuse, self._note, task_status=task_status)
        finally:
            if self._requests is not None:
                self._requests.close()

    async def handshake(self) -> About:
        """Agree on a version with the server, without declaring any capability.

        Raises:
            HandshakeError: It answers with a version that is not known, or with something else.
            MCPError: It refuses.
        """
        about = await (self._discover() if self.era == "modern" else self._initialize())
        self.capabilities = about.capabilities
        return about

    async def _initialize(self) -> About:
        params = {"protocolVersion": LATEST_HANDSHAKE_VERSION, "capabilities": {}, "clientInfo": CLIENT_INFO}
        answer = await self.dispatcher.send_raw_request("initialize", params, {"cancel_on_abandon": False})
        version = answer.get("protocolVersion")
        if version not in HANDSHAKE_PROTOCOL_VERSIONS:
            raise HandshakeError(tr("it answers with the protocol version {version}", version=repr(version)[:40]))
        self._version = version
        await self.dispatcher.notify("notifications/initialized", None, self._options("notifications/initialized", {}))
        return About(_instructions(answer), version, _capabilities(answer))

    async def _discover(self) -> About:
        answer = await self.request("server/discover", {}, cancel=False)
        versions = answer.get("supportedVersions")
        if not isinstance(versions, list) or LATEST_MODERN_VERSION not in versions:
            raise HandshakeError(tr("it does not know the protocol version {version}", version=LATEST_MODERN_VERSION))
        return About(_instructions(answer), LATEST_MODERN_VERSION, _capabilities(answer))

    async def list_all(self) -> Listed:
        """Return everything that the server lists, of all pages: its tools, and what it says it offers beside them.

        Raises:
            HandshakeError: A list is none, or has no end.
            MCPError: The server refuses.
        """
        has_others = bool(self.capabilities & {"prompts", "resources"})
        return Listed(
            await self._list("tools/list", "tools", required="tools" in self.capabilities or not has_others),
            await self._list("prompts/list", "prompts") if "prompts" in self.capabilities else [],
            await self._list("resources/list", "resources") if "resources" in self.capabilities else [],
            await self._list("resources/templates/list", "resourceTemplates")
            if "resources" in self.capabilities
            else [],
            "completions" in self.capabilities,
        )

    async def _list(self, method: str, key: str, *, required: bool = False) -> list[Any]:
        """Return a list of all pages; an empty one when the server does not know the method, unless it is `required`."""
        items: list[Any] = []
        cursor: str | None = None
        for _ in range(_MAX_PAGES):
            try:
                answer = await self.request(method, {} if cursor is None else {"cursor": cursor})
            except MCPError as error:
                if error.error.code == METHOD_NOT_FOUND and not required:
                    return []
                raise
            page = answer.get(key)
            if not isinstance(page, list):
                raise HandshakeError(tr("its answer to {method} has no list", method=method))
            items += page
            cursor = answer.get("nextCursor")
            if not isinstance(cursor, str) or not cursor:
                return items
        raise HandshakeError(tr("its answer to {method} has more than {pages} pages", method=method, pages=_MAX_PAGES))

    async def is_alive(self, seconds: float) -> bool:
        """Return whether the server answers a small request in time; an error of the server is an answer too."""
        with anyio.move_on_after(seconds):
            try:
                await self.ping()
            except MCPError as error:
                return error.error.code != CONNECTION_CLOSED
            return True
        return False

    async def ping(self) -> None:
        """Send a small request and wait for its answer.

        Raises:
            MCPError: The server answered with an error, or the connection has ended.
        """
        await self.request("ping" if self.era == "legacy" else "server/discover", {}, cancel=False)

    async def request(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        capabilities: Mapping[str, Any] | None = None,
        on_progress: ProgressFnT | None = None,
        cancel: bool = True,
    ) -> dict[str, Any]:
        """Send a request and return the result.

        Args:
            method: Name of the method.
            params: Its parameters, without `_meta`.
            capabilities: What the caller can be asked; only for a modern server.
            on_progress: Takes the progress of this request.
            cancel: Whether the server is told when the caller does not wait any longer.

        Raises:
            MCPError: The server answered with an error, or the connection has ended.
        """
        sent: dict[str, Any] = dict(params)
        if self.era == "modern":
            sent["_meta"] = {
                PROTOCOL_VERSION_META_KEY: self._version,
                CLIENT_INFO_META_KEY: CLIENT_INFO,
                CLIENT_CAPABILITIES_META_KEY: dict(capabilities or {}),
            }
        if not tracing.current().is_recorded:
            return await self._send(method, sent, on_progress, cancel)
        with client_span(method, params, self._version) as span:
            sent["_meta"] = {**sent.get("_meta", {}), "traceparent": span.traceparent}
            result = await self._send(method, sent, on_progress, cancel)
            note_result(span, method, result)
            return result

    async def _send(
        self, method: str, params: Mapping[str, Any], on_progress: ProgressFnT | None, cancel: bool
    ) -> dict[str, Any]:
        """Send a request by the shortest way: without the dispatcher when the caller wants only the result."""
        if self._requests is not None and on_progress is None:
            return await self._requests.request(method, params, cancel=cancel)
        options = self._options(method, params)
        if on_progress is not None:
            options["on_progress"] = on_progress
        options["cancel_on_abandon"] = cancel
        return await self.dispatcher.send_raw_request(method, params, options)

    def _options(self, method: str, params: Mapping[str, Any]) -> CallOptions:
        if not self._is_http or not self._version:
            return {}
        headers = {MCP_PROTOCOL_VERSION_HEADER: self._version}
        if self.era == "modern":
            headers[MCP_METHOD_HEADER] = method
            if method in NAME_BEARING_METHODS:
                headers[MCP_NAME_HEADER] = encode_header_value(params[NAME_BEARING_METHODS[method]])
            if method == "tools/call":
                header_map = x_mcp_header_map(self.listed_schemas.get(params["name"]) or {})
                headers |= mcp_param_headers(header_map, params.get("arguments") or {})
        return {"headers": headers}

    async def _refuse(
        self, context: DispatchContext[TransportContext], method: str, params: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """Answer a request of the server: `ping` with nothing, and every other one with a refusal."""
        if method == "ping":
            return {}
        self._metrics.refused(method)
        raise MCPError(code=METHOD_NOT_FOUND, message=f"{CLIENT_INFO['name']} does not offer {method[:100]}")

    async def _note(
        self, context: DispatchContext[TransportContext], method: str, params: Mapping[str, Any] | None
    ) -> None:
        """Take a notification of the server: log messages are logged, and a changed list is compared again."""
        if method == "notifications/message":
            given = params or {}
            level = _LOG_LEVELS.get(str(given.get("level")), logging.INFO)
            text = self._masker.text(str(given.get("data")))[:_LONGEST_LOGGED]
            logger.log(level, "child message", extra={"line": text, "stream": "message"})
        elif method in _LIST_CHANGED and self.on_list_changed is not None:
            await self.on_list_changed()


def _instructions(answer: Mapping[str, Any]) -> str | None:
    instructions = answer.get("instructions")
    return instructions if isinstance(instructions, str) and instructions.strip() else None


def _capabilities(answer: Mapping[str, Any]) -> frozenset[str]:
    given = answer.get("capabilities")
    return (
        frozenset(name for name, value in given.items() if value is not None)
        if isinstance(given, dict)
        else frozenset()
    )
