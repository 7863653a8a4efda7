"""Sends requests to the services through the gateway's listener for the hub, each on a connection of its own."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx2
from dyber_kit.calling.scopes import SCOPE_HEADER
from dyber_kit.observing import tracing
from dyber_kit.observing.logs import current_request
from dyber_kit.observing.tracing import outgoing_trace
from dyber_kit.serving.mcp.aliases import TOOL_HEADER
from dyber_kit.serving.mcp.exchanges import UnavailableError
from dyber_kit.serving.mcp.replies import encoded
from dyber_kit.serving.mcp.spans import client_span, note_result
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import (
    MCP_METHOD_HEADER,
    MCP_NAME_HEADER,
    MCP_PARAM_HEADER_PREFIX,
    MCP_PROTOCOL_VERSION_HEADER,
    NAME_BEARING_METHODS,
    encode_header_value,
)
from mcp.types import CLIENT_CAPABILITIES_META_KEY, CLIENT_INFO_META_KEY, PROTOCOL_VERSION_META_KEY
from mcp.types.version import LATEST_MODERN_VERSION, MODERN_PROTOCOL_VERSIONS

from dyber_hub.catalogue import Item
from dyber_hub.forwarding.failures import Failure, Reason
from dyber_hub.scopes import ALL_SERVICES, HubScope

#: Name of the client under which the hub asks in its own name; the gateway does not count it, and no client can have it.
HUB_CLIENT = "_hub"
#: Name of the hub as a program of MCP.
_PROGRAM = "hub"
#: Largest answer of a service that is passed on, in bytes.
MAX_ANSWER_BYTES = 8 * 2**20
#: The same for what the hub asks in its own name, such as lists, which it keeps.
MAX_OWN_ANSWER_BYTES = 2 * 2**20
#: How many requests of clients a service is asked at once; further ones are refused, so that a service that hangs does
#: not use up the memory and the connections that the others need.
MOST_AT_ONCE = 32

_CONNECT_SECONDS = 2.0
# What the hub asks in its own name is little, and has connections of its own, which no call takes away.
_OWN_CONNECTIONS = 100
# How often a connection is tried again, while the gateway is being replaced.
_CONNECT_RETRIES = 3
_PASSED_HEADERS = ("accept-language", "x-dyber-text")
_ids = itertools.count(1)

Notify = Callable[[Item], Awaitable[None]]


@dataclass(frozen=True)
class Caller:
    """Describes in whose name a request goes to a service.

    Attributes:
        client: Name of the client as the gateway states it.
        scope: What the client may use.
        headers: Further headers of the client's request that the service should see.
    """

    client: str
    scope: HubScope
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, headers: Sequence[tuple[bytes, bytes]], scope: HubScope) -> Caller:
        """Return the caller of a request with these ASGI headers."""
        prefix = MCP_PARAM_HEADER_PREFIX.lower()
        read = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
        client = next((value for name, value in read if name == "x-dyber-client"), "")
        passed = tuple(item for item in read if item[0] in _PASSED_HEADERS or item[0].startswith(prefix))
        return cls(client, scope, passed)

    def repeating(self, headers: Mapping[str, str]) -> Caller:
        """Return the same caller with other headers that repeat arguments."""
        prefix = MCP_PARAM_HEADER_PREFIX.lower()
        kept = tuple(item for item in self.headers if not item[0].startswith(prefix))
        return replace(self, headers=(*kept, *headers.items()))


#: The hub itself, which lists what every service offers.
THE_HUB = Caller(HUB_CLIENT, ALL_SERVICES)


class Gateway:
    """Reaches the services.

    The base URL of both clients is the gateway's listener for the hub, and both have the hub's token.

    Args:
        client: Sends the requests of clients.
        own: Sends what the hub asks in its own name.
    """

    def __init__(self, client: httpx2.AsyncClient, own: httpx2.AsyncClient) -> None:
        self._client = client
        self._own = own
        self._running: Counter[str] = Counter()

    @classmethod
    def connect(cls, url: str, token: str) -> Gateway:
        """Return the gateway with a listener at `url` that knows the hub by `token`."""
        # Calls take as long as they take: the gateway and the service have limits.
        timeout = httpx2.Timeout(None, connect=_CONNECT_SECONDS, pool=_CONNECT_SECONDS)
        headers = {"authorization": f"Bearer {token}", "accept-encoding": "identity"}

        def client(connections: int | None) -> httpx2.AsyncClient:
            # A connection that the gateway closes at the moment of a call would leave open whether the call was made.
            limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=0)
            return httpx2.AsyncClient(
                base_url=url,
                headers=headers,
                timeout=timeout,
                limits=limits,
                trust_env=False,
                # For HTTP the client need not read the certificates of all authorities, which takes 30 ms and some MiB.
                verify=url.startswith("https:"),
            )

        # The connections of calls are limited for each service, by MOST_AT_ONCE.
        return cls(client(None), client(_OWN_CONNECTIONS))

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()
        await self._own.aclose()

    async def states(self) -> dict[str, str]:
        """Return how the gateway sees each service: up, degraded, down or unknown.

        Raises:
            Failure: The gateway gave no answer.
        """
        try:
            response = await self._own.get("/status")
            details = response.raise_for_status().json()["details"]
            return {name: str(detail["state"]) for name, detail in details.items()}
        except (httpx2.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Failure(Reason.GATEWAY_DOWN, "gateway", current_request.get().request_id) from error

    async def ask(self, service: str, method: str, params: Item | None = None) -> Item:
        """Ask a service in the hub's own name; see `request`."""
        meta = {
            PROTOCOL_VERSION_META_KEY: LATEST_MODERN_VERSION,
            CLIENT_INFO_META_KEY: {"name": _PROGRAM, "version": "1"},
            CLIENT_CAPABILITIES_META_KEY: {},
        }
        return await self.request(service, method, {**(params or {}), "_meta": meta}, LATEST_MODERN_VERSION, THE_HUB)

    async def request(
        self,
        service: str,
        method: str,
        params: Mapping[str, Any],
        version: str,
        caller: Caller,
        *,
        tool: str | None = None,
        notify: Notify | None = None,
    ) -> Item:
        """Return the result of a request to a service, exactly as the service gave it.

        The request gets an id of the hub's, so that those of different clients cannot be mixed up; a progress token is
        replaced on the way there and put back on the way here. When this is cancelled, the connection is closed, which
        cancels the request.

        Args:
            service: Name of the service.
            method: Method of the protocol.
            params: Its parameters as the client sent them.
            version: Protocol version of the client's request.
            caller: In whose name.
            tool: Canonical name of the tool, when `params` has another.
            notify: Takes the notifications that come before the result.

        Raises:
            MCPError: The service answered with an error of the protocol.
            Failure: The service gave no answer, or has too many requests already.
        """
        with self._place(service, caller):
            client = self._own if caller is THE_HUB else self._client
            if not tracing.current().is_recorded:
                return await self._exchange(client, service, method, params, version, caller, tool, notify)
            with client_span(method, params if tool is None else {**params, "name": tool}, version) as span:
                result = await self._exchange(client, service, method, params, version, caller, tool, notify)
                note_result(span, method, result)
                return result

    @contextmanager
    def _place(self, service: str, caller: Caller) -> Iterator[None]:
        """Count a request of a client while it runs. Raises Failure when the service has too many."""
        if caller is THE_HUB:
            yield
            return
        if self._running[service] >= MOST_AT_ONCE:
            raise Failure(Reason.BUSY, service, current_request.get().request_id)
        self._running[service] += 1
        try:
            yield
        finally:
            self._running[service] -= 1

    async def _exchange(
        self,
        client: httpx2.AsyncClient,
        service: str,
        method: str,
        params: Mapping[str, Any],
        version: str,
        caller: Caller,
        tool: str | None,
        notify: Notify | None,
    ) -> Item:
        request_id = f"hub-{next(_ids)}"
        sent, token = _with_token(params, request_id)
        body = encoded({"jsonrpc": "2.0", "id": request_id, "method": method, "params": sent})
        headers = self._headers(service, method, params, version, caller, tool)
        try:
            async with client.stream("POST", f"/services/{service}/mcp", content=body, headers=headers) as response:
                answer = _Answer(response, MAX_OWN_ANSWER_BYTES if client is self._own else MAX_ANSWER_BYTES)
                async with aclosing(answer.messages()) as messages:
                    async for message in messages:
                        if _answers(message, request_id):
                            return _outcome(message, response)
                        if notify is not None and "method" in message and "id" not in message:
                            await notify(_for_client(message, request_id, token))
                raise _failure(response, answer.body, service)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise Failure(Reason.GATEWAY_DOWN, service, current_request.get().request_id) from error
        except (_TooLargeError, httpx2.SSEError) as error:
            raise Failure(Reason.BAD_ANSWER, service, current_request.get().request_id) from error
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise Failure(Reason.CONNECTION_LOST, service, current_request.get().request_id) from error

    def _headers(
        self, service: str, method: str, params: Mapping[str, Any], version: str, caller: Caller, tool: str | None
    ) -> list[tuple[bytes, bytes]]:
        info = current_request.get()
        headers = [
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            (MCP_PROTOCOL_VERSION_HEADER, version),
            ("x-dyber-client", caller.client),
            (SCOPE_HEADER, caller.scope.header(service)),
            *caller.headers,
            *outgoing_trace(info.traceparent).items(),
        ]
        if info.request_id != "-":
            headers.append(("x-request-id", info.request_id))
        if tool is not None:
            headers.append((TOOL_HEADER, tool))
        if version in MODERN_PROTOCOL_VERSIONS:
            headers.append((MCP_METHOD_HEADER, method))
            name = params.get(NAME_BEARING_METHODS.get(method, ""))
            if isinstance(name, str):
                headers.append((MCP_NAME_HEADER, encode_header_value(name)))
        # Headers of clients may have any bytes; they are passed on as they came.
        return [(key.encode("latin-1"), value.encode("latin-1")) for key, value in headers]


class _TooLargeError(Exception):
    """Says that an answer is larger than the hub reads."""


class _Answer:
    """Reads the JSON-RPC messages in a response: those of an event stream, or the one in a body of JSON."""

    def __init__(self, response: httpx2.Response, most_bytes: int) -> None:
        self.body = b""
        self._response = response
        self._most_bytes = most_bytes

    async def messages(self) -> AsyncGenerator[Item, None]:
        """Yield the messages; `body` has a body of JSON afterwards, whether or not it was a message."""
        media = self._response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media == "text/event-stream":
            async for event in httpx2.EventSource(self._response, max_event_size=self._most_bytes):
                if event.data and (message := _message(event.data)) is not None:
                    yield message
        elif media == "application/json":
            self.body = await self._read()
            if (message := _message(self.body)) is not None:
                yield message

    async def _read(self) -> bytes:
        chunks: list[bytes] = []
        size = 0
        async for chunk in self._response.aiter_raw():
            size += len(chunk)
            if size > self._most_bytes:
                raise _TooLargeError
            chunks.append(chunk)
        return b"".join(chunks)


def _message(text: str | bytes) -> Item | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and value.get("jsonrpc") == "2.0" else None


def _answers(message: Item, request_id: str) -> bool:
    """Return whether a message answers a request; a refused body gets an error without an id."""
    if "result" in message:
        return message.get("id") == request_id
    return "error" in message and message.get("id") in (request_id, None)


def _outcome(message: Item, response: httpx2.Response) -> Item:
    """Return the result in a message, or raise the error in it."""
    result = message.get("result")
    if isinstance(result, dict):
        return result
    error = message.get("error")
    if not isinstance(error, dict) or not isinstance(error.get("code"), int):
        raise httpx2.RemoteProtocolError("neither a result nor an error")
    text = str(error.get("message", ""))
    retry_after = response.headers.get("retry-after", "")
    if response.status_code == httpx2.codes.SERVICE_UNAVAILABLE and retry_after.isdecimal():
        raise UnavailableError(text, int(retry_after), error.get("data"))
    raise MCPError(error["code"], text, error.get("data"))


def _failure(response: httpx2.Response, body: bytes, service: str) -> Failure:
    """Return the failure that a response without an outcome means."""
    request_id = current_request.get().request_id
    if response.is_success:
        return Failure(Reason.CONNECTION_LOST, service, request_id)
    retry_after = response.headers.get("retry-after", "")
    return Failure.of_response(response.status_code, retry_after, body, service, request_id)


def _with_token(params: Mapping[str, Any], token: str) -> tuple[Mapping[str, Any], Any]:
    """Return the parameters with another progress token, if they have any, and the client's token."""
    meta = params.get("_meta")
    if not isinstance(meta, dict) or meta.get("progressToken") is None:
        return params, None
    return {**params, "_meta": {**meta, "progressToken": token}}, meta["progressToken"]


def _for_client(message: Item, token: str, client_token: Any) -> Item:
    """Return a notification with the client's progress token in place of the hub's."""
    params = message.get("params")
    if not isinstance(params, dict) or params.get("progressToken") != token:
        return message
    return {**message, "params": {**params, "progressToken": client_token}}
