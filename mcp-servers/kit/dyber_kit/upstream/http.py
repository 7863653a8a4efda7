"""Makes HTTP clients for platforms: they reach only allowed hosts, no private network, and have limits."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import httpx2

from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import Text, tr_lazy
from dyber_kit.observing import tracing
from dyber_kit.observing.metrics import Metrics

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_PROXY_NETWORK = ipaddress.ip_network("198.18.0.0/15")
#: IPv6 networks whose addresses end with an IPv4 address: NAT64 (RFC 6052), and the IPv4-compatible ones (RFC 4291).
_IPV4_AT_THE_END = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96"))
#: NAT64 of private networks (RFC 8215).
_LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")
# Arguments of `httpx2.AsyncClient` that are safe to pass on. Mounts, transports, certificates and the
# environment are left out, because each can be used to bypass the guard.
_SAFE_OPTIONS = {
    "auth", "base_url", "cookies", "default_encoding", "event_hooks", "follow_redirects", "headers", "max_redirects",
    "params",
}  # fmt: skip
#: Given with `extensions={ENDPOINT: "hot_list"}`, names the request in the metrics.
ENDPOINT = "dyber.endpoint"
#: Most connections that a client keeps open at the same time; further requests wait.
MAX_CONNECTIONS = 20
#: Name of the span of a request in the extensions of its response; it ends when the body has been read.
_SPAN = "dyber.span"


def create_client(
    allowed_hosts: Sequence[str],
    *,
    metrics: Metrics | None = None,
    timeout: float = 10.0,
    max_bytes: int = 4 * 2**20,
    limit_streams: bool = True,
    attempts: int = 3,
    retry_wait: float = 0.5,
    proxy: str | None = None,
    certificates: str | None = None,
    client_type: type[httpx2.AsyncClient] = httpx2.AsyncClient,
    **options: Any,
) -> httpx2.AsyncClient:
    """Return a client that refuses every host but `allowed_hosts`, also after redirects.

    Names are resolved once and the connection goes to the checked address, so that a name cannot change its address in
    between. Addresses of private, loopback and link-local networks are refused unless the list names exactly that
    address. Proxies of the environment are not used; with `proxy`, names are checked here before the proxy resolves them
    again, and a name that cannot be resolved here is sent to the proxy only when the list has exactly that name. Requests with safe methods are retried after connection errors
    and after 500, 502, 503 and 504; others never.

    Args:
        allowed_hosts: `api.example.com`, `*.example.com` (not `example.com` itself), or an IP address.
        metrics: Where requests are counted; name them with `extensions={ENDPOINT: "hot_list"}`.
        timeout: Longest time for connecting, and for each wait for data, in seconds.
        max_bytes: Largest body, after decompression.
        limit_streams: Whether `max_bytes` is the limit of event streams too; their reader can limit each event instead.
        attempts: Most attempts of a safe request.
        retry_wait: Longest first pause between attempts, in seconds; it doubles.
        proxy: `http://[user:password@]host:port` of a proxy that the operator chose; it may be in a private network.
        certificates: Certificates, in PEM form, of authorities that are trusted in addition to the system's.
        client_type: The class of the client; one that changes how answers are handled.
        options: Further arguments of `httpx2.AsyncClient`: auth, base_url, cookies, default_encoding, event_hooks,
            follow_redirects, headers, max_redirects, params.

    Raises:
        TypeError: Another option was given, such as `mounts`, `transport`, `verify` or `trust_env`: it could bypass the
            guard.
        ValueError: `proxy` is not the address of an HTTP proxy, or `certificates` has no certificates.

    Requests raise:
        ServiceError: INVALID_ARGUMENT for a host that is not allowed; UPSTREAM_UNREACHABLE without an answer;
            UPSTREAM_CHANGED for a body that is too large or has an unexpected compression.
    """
    unguarded = sorted(options.keys() - _SAFE_OPTIONS)
    if unguarded:
        raise TypeError(f"create_client() does not take {', '.join(unguarded)}: requests would go around its guard")
    transport = _GuardedTransport(tuple(allowed_hosts), metrics, max_bytes, attempts, retry_wait, proxy, certificates)
    transport.limit_streams = limit_streams
    options.setdefault("follow_redirects", True)
    options.setdefault("max_redirects", 5)
    headers = httpx2.Headers(options.pop("headers", None))
    headers.setdefault("accept-encoding", "gzip")
    return client_type(transport=transport, trust_env=False, timeout=timeout, headers=headers, **options)


def tls_context(certificates: str | None = None) -> ssl.SSLContext:
    """Return how servers are verified: by the system's authorities, and by those of `certificates` (PEM).

    Raises:
        ValueError: `certificates` has no certificates.
    """
    context = ssl.create_default_context()
    if certificates is not None:
        try:
            context.load_verify_locations(cadata=certificates)
        except (ssl.SSLError, ValueError) as error:
            raise ValueError("certificates are not in PEM form") from error
    return context


def host_allowed(host: str, allowed_hosts: Iterable[str]) -> bool:
    """Return whether `host` is allowed; `*.example.com` stands for every subdomain of example.com."""
    host = host.lower().rstrip(".")
    return any(
        host.endswith(allowed[1:].lower()) if allowed.startswith("*.") else host == allowed.lower()
        for allowed in allowed_hosts
    )


def is_public(address: str) -> bool:
    """Return whether an IP address is on the public internet; IPv4 addresses inside IPv6 ones are checked too.

    198.18.0.0/15 counts as public, because transparent proxies return it in place of every real address.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.is_site_local or ip in _LOCAL_NAT64:
            return False
        wrapped = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if wrapped is None and any(ip in network for network in _IPV4_AT_THE_END):
            wrapped = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        ip = wrapped or ip
    return (ip.is_global and not ip.is_multicast) or ip in _PROXY_NETWORK


async def checked_addresses(
    host: str, port: int | None, allowed_hosts: tuple[str, ...], timeout: float | None
) -> list[str]:
    """Return the addresses of a host, all of them public or allowed.

    Raises:
        ServiceError: INVALID_ARGUMENT when an address is in a private network.
        OSError: The name cannot be resolved; TimeoutError when that takes longer than `timeout`.
    """
    async with asyncio.timeout(timeout):
        entries = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
    if any(not is_public(address) and address not in allowed_hosts for address in addresses):
        raise _not_allowed(tr_lazy("{host} (it leads to an internal network)", host=host[:100]))
    return addresses


def _proxy_of(address: str) -> httpx2.URL:
    try:
        url = httpx2.URL(address)
    except httpx2.InvalidURL:
        url = httpx2.URL()
    if url.scheme not in ("http", "https") or not url.host:
        # The address is left out, because it may contain a password.
        raise ValueError("proxy is not an address such as http://proxy.example:3128")
    return url


class _GuardedTransport(httpx2.AsyncBaseTransport):
    def __init__(
        self,
        allowed_hosts: tuple[str, ...],
        metrics: Metrics | None,
        max_bytes: int,
        attempts: int,
        retry_wait: float,
        proxy: str | None,
        certificates: str | None,
    ) -> None:
        self._allowed_hosts = allowed_hosts
        self._metrics = metrics
        self._max_bytes = max_bytes
        self._attempts = attempts
        self._retry_wait = retry_wait
        self._proxy = _proxy_of(proxy) if proxy else None
        self._tls = tls_context(certificates) if certificates is not None else None
        self._made: httpx2.AsyncHTTPTransport | None = None
        self.limit_streams = True

    @property
    def _inner(self) -> httpx2.AsyncHTTPTransport:
        """Return the transport that connects.

        It is made for the first request, because reading the system's authorities takes long and much memory.
        """
        if self._made is None:
            # Imported here, because a start does not need it.
            from dyber_kit.upstream.connections import transport

            context = self._tls or tls_context()
            self._made = transport(context, self._proxy, self._allowed_hosts, MAX_CONNECTIONS)
        return self._made

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.scheme not in ("http", "https") or not host_allowed(request.url.host, self._allowed_hosts):
            raise _not_allowed((request.url.host or str(request.url.scheme))[:100])
        if self._proxy is not None:
            await self._check_destination(request)
        from dyber_kit.upstream.connections import send_with_retries

        attempts = self._attempts if request.method in _SAFE_METHODS else 1
        try:
            response = await send_with_retries(self._send, request, attempts, self._retry_wait)
        except httpx2.TimeoutException as error:
            raise ServiceError(
                ErrorCode.UPSTREAM_UNREACHABLE, tr_lazy("{host} did not answer in time", host=request.url.host)
            ) from error
        except httpx2.ProxyError as error:
            raise ServiceError(
                ErrorCode.UPSTREAM_UNREACHABLE,
                tr_lazy("The proxy did not connect to {host}", host=request.url.host),
                tr_lazy("Ask the operator to check the proxy's address, password and rules"),
            ) from error
        except httpx2.TransportError as error:
            raise ServiceError(
                ErrorCode.UPSTREAM_UNREACHABLE, tr_lazy("{host} cannot be reached", host=request.url.host)
            ) from error
        try:
            return self._limited(response)
        except BaseException as error:
            # The client closes the answers that it receives, but it does not receive this one.
            _end_span(response, error)
            await response.aclose()
            raise

    async def _check_destination(self, request: httpx2.Request) -> None:
        """Raise ServiceError for a host that the proxy could find in a private network."""
        host = request.url.host
        timeout = request.extensions.get("timeout", {}).get("connect")
        try:
            await checked_addresses(host, request.url.port, self._allowed_hosts, timeout)
        except OSError:
            if host.lower().rstrip(".") not in {allowed.lower() for allowed in self._allowed_hosts}:
                unknown = tr_lazy("{host} (it may be in an internal network)", host=host[:100])
                raise _not_allowed(unknown) from None

    async def _send(self, request: httpx2.Request) -> httpx2.Response:
        endpoint = str(request.extensions.get(ENDPOINT, "other"))
        status: int | str = "error"
        # The URL is left out, because its query may contain a key.
        about: tracing.Attributes = {"http.request.method": request.method, "server.address": request.url.host}
        span = tracing.begin(f"upstream {endpoint}", about, kind=tracing.Kind.CLIENT)
        try:
            response = await self._inner.handle_async_request(request)
            status = response.status_code
            span.set_attribute("http.response.status_code", status)
            if status >= 400:
                span.fail(str(status))
            if status >= 500:
                span.finish()  # It may be sent again, and nobody reads the body.
            elif span.is_recorded:
                response.extensions[_SPAN] = span
            return response
        except BaseException as error:
            span.fail(type(error).__name__)
            span.finish()
            raise
        finally:
            if self._metrics:
                self._metrics.upstream_request(endpoint, status)

    def _limited(self, response: httpx2.Response) -> httpx2.Response:
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "gzip", "x-gzip"):
            raise ServiceError(
                ErrorCode.UPSTREAM_CHANGED,
                tr_lazy(
                    "The platform's answer has a compression that was not asked for: {encoding}", encoding=encoding[:20]
                ),
            )
        headers = httpx2.Headers(response.headers)
        if encoding != "identity":
            # Decompressed here and not by the client, whose decoder has no limit: a kilobyte can become a gigabyte.
            del headers["content-encoding"]
            headers.pop("content-length", None)
        is_stream = headers.get("content-type", "").lower().startswith("text/event-stream")
        limit = None if is_stream and not self.limit_streams else self._max_bytes
        return httpx2.Response(
            response.status_code,
            headers=headers,
            stream=_LimitedStream(response, encoding != "identity", limit),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        if self._made is not None:
            await self._made.aclose()


class _LimitedStream(httpx2.AsyncByteStream):
    def __init__(self, response: httpx2.Response, gzip: bool, max_bytes: int | None) -> None:
        self._response = response
        self._inflate = zlib.decompressobj(16 + zlib.MAX_WBITS) if gzip else None
        self._max_bytes = max_bytes if max_bytes is not None else 2**62

    async def __aiter__(self) -> AsyncIterator[bytes]:
        total = 0
        try:
            async for chunk in self._response.aiter_raw():
                if self._inflate:
                    chunk = self._inflate.decompress(chunk, self._max_bytes - total + 1)
                total += len(chunk)
                if total > self._max_bytes or (self._inflate and self._inflate.unconsumed_tail):
                    raise ServiceError(
                        ErrorCode.UPSTREAM_CHANGED,
                        tr_lazy(
                            "The platform's answer is larger than {limit} KiB, so reading was stopped",
                            limit=self._max_bytes // 1024,
                        ),
                    )
                yield chunk
        except zlib.error as error:
            raise ServiceError(
                ErrorCode.UPSTREAM_CHANGED, tr_lazy("The platform's answer cannot be decompressed")
            ) from error
        except httpx2.TransportError as error:
            raise ServiceError(ErrorCode.UPSTREAM_UNREACHABLE, tr_lazy("The platform's answer broke off")) from error

    async def aclose(self) -> None:
        # The client closes every answer, after it was read or when nobody wants it.
        _end_span(self._response)
        await self._response.aclose()


def _end_span(response: httpx2.Response, error: BaseException | None = None) -> None:
    """End the span of a response's request, if it has one that is open."""
    span = response.extensions.pop(_SPAN, None)
    if span is not None:
        if error is not None:
            span.fail(type(error).__name__)
        span.finish()


def _not_allowed(host: Text | str) -> ServiceError:
    return ServiceError(
        ErrorCode.INVALID_ARGUMENT,
        tr_lazy("Access to {host} is not allowed", host=host),
        tr_lazy("Use links of the platform itself, not addresses of other sites"),
    )
