"""Connects to platforms: checked addresses, an optional proxy, and repeated attempts.

`dyber_kit.upstream.http` imports this for the first request, because httpcore2 and tenacity are needed only then.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import httpcore2
import httpx2
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, retry_if_result, stop_after_attempt
from tenacity.wait import wait_random_exponential

from dyber_kit.upstream.http import checked_addresses

_RETRIED_STATUSES = {500, 502, 503, 504}


class CheckedBackend(httpcore2.AnyIOBackend):
    """Connects to the checked address and does not resolve the name again."""

    def __init__(self, allowed_hosts: tuple[str, ...]) -> None:
        self._allowed_hosts = allowed_hosts

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first address of `host` that answers; all of them must be public or allowed."""
        try:
            addresses = await checked_addresses(host, port, self._allowed_hosts, timeout)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(f"{host}: name resolution took too long") from error
        except OSError as error:
            raise httpcore2.ConnectError(f"{host}: {error}") from error
        failure: Exception | None = None
        for address in addresses:
            try:
                return await super().connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore2.ConnectError(f"{host}: no address")


def transport(
    context: ssl.SSLContext, proxy: httpx2.URL | None, allowed_hosts: tuple[str, ...], max_connections: int
) -> httpx2.AsyncHTTPTransport:
    """Return a transport that connects only to checked addresses of `allowed_hosts`, or only to `proxy`."""
    made = httpx2.AsyncHTTPTransport(verify=context, trust_env=False)
    # httpx2 has no argument for the network backend of its pool.
    made._pool = httpcore2.AsyncConnectionPool(
        ssl_context=context,
        proxy=_proxy(proxy) if proxy is not None else None,
        max_connections=max_connections,
        max_keepalive_connections=10,
        keepalive_expiry=30,
        # With a proxy, connections go to the proxy only; the destination is checked for each request.
        network_backend=CheckedBackend(allowed_hosts) if proxy is None else httpcore2.AnyIOBackend(),
    )
    return made


async def send_with_retries(
    send: Callable[[httpx2.Request], Awaitable[httpx2.Response]],
    request: httpx2.Request,
    attempts: int,
    retry_wait: float,
) -> httpx2.Response:
    """Send a request up to `attempts` times, until it has an answer that is not a passing failure of the platform.

    The pauses begin with up to `retry_wait` seconds and double. Raises what the last attempt raised.
    """
    retrying = AsyncRetrying(
        stop=stop_after_attempt(attempts),
        wait=wait_random_exponential(multiplier=retry_wait, max=retry_wait * 8),
        retry=retry_if_exception_type(httpx2.TransportError)
        | retry_if_result(lambda answer: answer.status_code in _RETRIED_STATUSES),
        before_sleep=_discard,
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )
    response: httpx2.Response = await retrying(send, request)
    return response


async def _discard(state: RetryCallState) -> None:
    """Close an answer that is not used, which returns its connection to the pool."""
    if state.outcome and not state.outcome.failed:
        await state.outcome.result().aclose()


def _proxy(url: httpx2.URL) -> httpcore2.Proxy:
    auth = (url.username.encode(), url.password.encode()) if url.username else None
    return httpcore2.Proxy(str(url.copy_with(username=None, password=None)), auth=auth)
