"""Lists and calls the tools of a service through the gateway."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.types import AudioContent, CallToolResult, ImageContent, TextContent, Tool

from dyber_console.settings import Settings
from dyber_console.tools.limited_http import AnswerTooLong, LimitedTransport

#: Key in the `_meta` of a failed answer with the code of the failure.
_ERROR_META = "dyber/error"
_LIST_SECONDS = 20.0
_MOST_TOOLS = 1000
#: Bytes that are read of a list of tools, which is kept, and of a call, which also has the list.
_LONGEST_LIST = 2 * 2**20
_LONGEST_ANSWER = 8 * 2**20
_LONGEST_TEXT = 60_000
_LONGEST_IMAGE = 4 * 2**20
_MOST_IMAGES = 8
_IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")

logger = logging.getLogger("dyber_console")


@dataclass(frozen=True)
class Answer:
    """Holds how a call of a tool ended; it is shown once and kept nowhere.

    Attributes:
        outcome: `ok`, a code of the service or the gateway, `timeout`, `answer_too_long`, or `tool_error`.
        message: What the service says about a failure.
        text: The structured content as JSON, else the text.
        images: Pictures as `data:` addresses.
        request_id: Names the call in the gateway's log.
    """

    outcome: str
    seconds: float
    request_id: str
    message: str = ""
    text: str = ""
    structured: Mapping[str, Any] = field(default_factory=dict)
    images: tuple[str, ...] = ()


@dataclass(frozen=True)
class Listing:
    """Holds the tools of a service as they were listed last, and when, in seconds since 1970."""

    tools: tuple[Tool, ...]
    at: float


class Tools:
    """Calls tools with the token of the client `console`.

    Attributes:
        listings: The newest list of tools of each service that answered, by name.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.listings: dict[str, Listing] = {}

    async def refresh(self, service: str) -> bool:
        """List the tools of a service anew; return whether the list changed. A service that fails keeps its list."""
        try:
            async with asyncio.timeout(_LIST_SECONDS), self._client(service, _request_id(), _LONGEST_LIST) as client:
                tools: list[Tool] = []
                cursor: str | None = None
                while len(tools) < _MOST_TOOLS:
                    page = await client.list_tools(cursor=cursor)
                    tools += page.tools
                    cursor = page.next_cursor
                    if not cursor:
                        break
        except AnswerTooLong:
            logger.warning("the list of tools of %s is too long and is not read", service)
            return False
        except Exception:
            # The SDK raises groups of many kinds; whatever failed, the service did not list its tools.
            return False
        known = self.listings.get(service)
        del tools[_MOST_TOOLS:]
        self.listings[service] = Listing(tuple(tools), time.time())
        return known is None or known.tools != tuple(tools)

    def tool(self, service: str, name: str) -> Tool | None:
        """Return a tool of a service by its name, or None."""
        listing = self.listings.get(service)
        return next((tool for tool in listing.tools if tool.name == name), None) if listing else None

    async def call(self, service: str, name: str, arguments: dict[str, Any], seconds: float = 120.0) -> Answer:
        """Call a tool once and return how it ended; nothing is repeated."""
        request_id = _request_id()
        started = time.perf_counter()
        try:
            async with asyncio.timeout(seconds), self._client(service, request_id, _LONGEST_ANSWER) as client:
                result = await client.call_tool(name, arguments)
        except TimeoutError:
            return Answer("timeout", time.perf_counter() - started, request_id)
        except AnswerTooLong:
            return Answer("answer_too_long", time.perf_counter() - started, request_id)
        except Exception as error:
            code, message = _refusal(error)
            return Answer(code, time.perf_counter() - started, request_id, message)
        return _answer(result, time.perf_counter() - started, request_id)

    @asynccontextmanager
    async def _client(self, service: str, request_id: str, longest: int) -> AsyncIterator[Client]:
        """Yield a client of a service; raise AnswerTooLong when the service sends more than `longest` bytes."""
        headers = {"Authorization": f"Bearer {self._settings.token}", "X-Request-Id": request_id}
        url = f"{self._settings.gateway_url}/api/{service}/mcp"
        # For HTTP the transport need not read the certificates of all authorities, which takes 30 ms and some MiB.
        transport = LimitedTransport(longest, httpx2.AsyncHTTPTransport(verify=url.startswith("https:")))
        timeout = httpx2.Timeout(130.0, connect=5.0)
        try:
            async with httpx2.AsyncClient(headers=headers, timeout=timeout, transport=transport) as http:
                async with Client(streamable_http_client(url, http_client=http)) as client:
                    yield client
        except Exception as error:
            # The SDK hides it behind errors of its own.
            if transport.is_exceeded:
                raise AnswerTooLong(f"{service} sent too much") from error
            raise


def is_read_only(tool: Tool) -> bool:
    """Return whether a tool says that it changes nothing on its platform."""
    return tool.annotations is not None and tool.annotations.read_only_hint is True


def _request_id() -> str:
    return f"console-{secrets.token_hex(12)}"


def _answer(result: CallToolResult, seconds: float, request_id: str) -> Answer:
    texts = [part.text for part in result.content if isinstance(part, TextContent)]
    images = [
        f"data:{part.mime_type};base64,{part.data}"
        for part in result.content
        if isinstance(part, ImageContent) and part.mime_type in _IMAGE_TYPES and len(part.data) <= _LONGEST_IMAGE
    ]
    if any(isinstance(part, AudioContent) for part in result.content):
        texts.append("[audio]")
    if result.is_error:
        detail = (result.meta or {}).get(_ERROR_META)
        code = str(detail.get("code", "tool_error")) if isinstance(detail, dict) else "tool_error"
        return Answer(code, seconds, request_id, "\n".join(texts)[:_LONGEST_TEXT])
    structured = result.structured_content if isinstance(result.structured_content, dict) else {}
    text = json.dumps(structured, ensure_ascii=False, indent=2) if structured else "\n".join(texts)
    return Answer("ok", seconds, request_id, "", text[:_LONGEST_TEXT], structured, tuple(images[:_MOST_IMAGES]))


def _refusal(error: BaseException) -> tuple[str, str]:
    """Return the code and the message of what the SDK raised, which may be a group of errors."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            code, message = _refusal(inner)
            if code != "service_down":
                return code, message
        return "service_down", ""
    if isinstance(error, TimeoutError):
        return "timeout", ""
    if isinstance(error, MCPError):
        return "protocol_error", str(error)[:_LONGEST_TEXT]
    if isinstance(error, httpx2.HTTPStatusError):
        return _STATUS.get(error.response.status_code, "service_down"), ""
    return "service_down", ""


_STATUS = {401: "unauthorized", 403: "forbidden", 421: "unknown_host", 429: "rate_limited", 503: "circuit_open"}
