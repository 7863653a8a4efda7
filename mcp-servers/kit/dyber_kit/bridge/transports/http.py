"""Speaks with a foreign server over HTTP: with a remote address, or with a child that listens on this machine."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx2
from mcp.client import sse as legacy_sse
from mcp.client._transport import TransportStreams
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import McpHttpClientFactory, sse_within_origin
from mcp.types import INTERNAL_ERROR

from dyber_kit.bridge.link import HandshakeError
from dyber_kit.bridge.settings import BridgeSettings, Values
from dyber_kit.bridge.transports.child_log import ChildLog
from dyber_kit.bridge.transports.endpoints import Connected, child_starter
from dyber_kit.bridge.transports.failures import FAILURE_KEY, Failure
from dyber_kit.bridge.transports.framing import MAX_MESSAGE_BYTES
from dyber_kit.bridge.transports.process import ChildProcess
from dyber_kit.bridge.transports.stdio import log_stream
from dyber_kit.errors import ServiceError
from dyber_kit.language import tr
from dyber_kit.upstream.http import create_client

_CONNECT_SECONDS = 10.0
_PROBE_SECONDS = 0.05
_GOODBYE_SECONDS = 1.0
_SESSION_HEADER = "mcp-session-id"
_LOOPBACK = ("127.0.0.1", "::1")
# The SDK's transport for legacy SSE has no parameter for the longest message, as the newer one has.
legacy_sse.sse_within_origin = partial(  # type: ignore[attr-defined] # it is what that module calls
    sse_within_origin, max_event_size=MAX_MESSAGE_BYTES
)
_FAILURES = {401: Failure.REFUSED, 403: Failure.REFUSED, 429: Failure.BUSY}


class HttpEndpoint:
    """Connects over Streamable HTTP or legacy SSE; starts the child first when the settings have one."""

    def __init__(self, settings: BridgeSettings, values: Values, data_dir: Path | None = None) -> None:
        assert settings.url is not None
        self._settings = settings
        self._values = values
        self._url = settings.url
        self._start = child_starter(settings, values, data_dir) if settings.command else None

    @asynccontextmanager
    async def open(self, log: ChildLog) -> AsyncIterator[Connected]:
        """Connect, and disconnect when the context ends.

        Raises:
            HandshakeError: The child ended before it listened, or the address is not usable.
        """
        async with self._listening_child(log) as child, self._streams() as (streams, failed):
            read, write = streams
            yield Connected(read, write, child, is_http=True, failed=failed)

    @asynccontextmanager
    async def _listening_child(self, log: ChildLog) -> AsyncIterator[ChildProcess | None]:
        if self._start is None:
            yield None
            return
        async with self._start() as child, anyio.create_task_group() as tasks:
            tasks.start_soon(log_stream, child.stdout, "stdout", log)
            tasks.start_soon(log_stream, child.stderr, "stderr", log)
            try:
                await self._wait_until_listening(child, log)
                yield child
            finally:
                tasks.cancel_scope.cancel()

    @asynccontextmanager
    async def _streams(self) -> AsyncIterator[tuple[TransportStreams, anyio.Event | None]]:
        client = await self._client()
        if self._settings.transport == "sse":
            async with legacy_sse.sse_client(self._values.address(), httpx_client_factory=_always(client)) as streams:
                yield streams, client.failed
            return
        async with (
            client,
            streamable_http_client(
                self._values.address(), http_client=client, max_sse_event_size=MAX_MESSAGE_BYTES
            ) as streams,
        ):
            yield streams, None

    async def _wait_until_listening(self, child: ChildProcess, log: ChildLog) -> None:
        address = urlsplit(self._url)
        port = self._settings.port
        assert port is not None
        with anyio.fail_after(self._settings.startup_seconds):
            while child.returncode is None:
                try:
                    await (await anyio.connect_tcp(address.hostname or "", port)).aclose()
                    return
                except OSError:
                    await anyio.sleep(_PROBE_SECONDS)
        raise HandshakeError(tr("it ended before it listened on port {port}", port=port))

    async def _client(self) -> _FailingSoftly:
        host = urlsplit(self._url).hostname or ""
        allowed = [host]
        if self._settings.command:
            allowed += _LOOPBACK
        elif self._settings.private_network:
            allowed += await _addresses(host)
        client = create_client(
            allowed,
            timeout=_CONNECT_SECONDS,
            max_bytes=MAX_MESSAGE_BYTES,
            limit_streams=False,
            attempts=1,
            client_type=_FailingSoftly,
            follow_redirects=False,
            headers=self._values.headers(),
        )
        # An answer takes as long as the call; the deadline of the call ends the wait.
        assert isinstance(client, _FailingSoftly)
        client.timeout = httpx2.Timeout(_CONNECT_SECONDS, read=self._settings.max_call_seconds + _CONNECT_SECONDS)
        return client


def _always(client: httpx2.AsyncClient) -> McpHttpClientFactory:
    """Return a function for the SDK's transport that makes no other client than the guarded one."""

    def make(
        headers: dict[str, str] | None = None, timeout: httpx2.Timeout | None = None, auth: httpx2.Auth | None = None
    ) -> httpx2.AsyncClient:
        return client

    return make


async def _addresses(host: str) -> list[str]:
    """Return the addresses of a host that the operator allows to be in a private network."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        entries = await anyio.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return [str(entry[4][0]) for entry in entries]


class _FailingSoftly(httpx2.AsyncClient):
    """Answers a POST that fails with a JSON-RPC error, because the SDK would end every other request along with it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        #: Set when a POST has failed: legacy SSE sends nothing afterwards.
        self.failed = anyio.Event()

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        if request.method == "DELETE":  # The end of a session, which some servers never answer.
            request.extensions["timeout"] = httpx2.Timeout(_GOODBYE_SECONDS).as_dict()
        if request.method != "POST":
            return await super().send(request, **options)
        try:
            response = await super().send(request, **options)
        except ServiceError as error:
            return self._failed(request, Failure.NOT_SENT, str(error.message))
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            return self._failed(request, Failure.NOT_SENT, str(error))
        except httpx2.TransportError as error:
            return self._failed(request, Failure.UNREACHABLE, str(error) or type(error).__name__)
        if response.status_code == 404 and _SESSION_HEADER in request.headers:
            await response.aclose()
            return self._failed(request, Failure.SESSION_ENDED, "the session has ended", 404)
        failure = _FAILURES.get(response.status_code)
        if failure is not None or response.status_code >= 500:
            await response.aclose()
            return self._failed(request, failure or Failure.UNREACHABLE, f"HTTP {response.status_code}")
        return response

    def _failed(self, request: httpx2.Request, failure: Failure, reason: str, status: int = 502) -> httpx2.Response:
        self.failed.set()
        error = {"code": INTERNAL_ERROR, "message": reason[:300], "data": {FAILURE_KEY: failure}}
        return httpx2.Response(status, json={"jsonrpc": "2.0", "id": None, "error": error}, request=request)
