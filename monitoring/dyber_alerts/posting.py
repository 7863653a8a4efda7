"""Posts requests to addresses of the internet, and refuses private ones."""

from __future__ import annotations

import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from dyber_alerts.forms import Request

#: How long each address has to answer, and how long a whole post may last (the lookup of the name counts, but only the
#: system's resolver ends it).
_SECONDS = 10
_SECONDS_IN_ALL = 20
_LONGEST_ANSWER = 65536
#: IPv6 networks whose addresses end with an IPv4 address: NAT64 (RFC 6052), and the IPv4-compatible ones (RFC 4291).
_IPV4_AT_THE_END = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96"))
#: NAT64 of private networks (RFC 8215).
_LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")


class NotSent(Exception):
    """A message could not be posted; the text says why, without its address."""


def post(request: Request, *, private_addresses: bool) -> tuple[int, bytes]:
    """Post a request and return the status and the body of the answer. Redirects are not followed.

    Args:
        request: What is posted, as JSON.
        private_addresses: Whether the host may have a private address or one of this machine.

    Raises:
        NotSent: There was no whole answer in time.
    """
    host, connection, deadline = "", None, _Deadline(_SECONDS_IN_ALL)
    try:
        parts = urlsplit(request.url)
        host, secure = parts.hostname or "", parts.scheme == "https"
        connection = _connection(host, parts.port or (443 if secure else 80), secure, private_addresses, deadline)
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "dyber-alerts", **request.headers}
        target = parts.path or "/"
        content = json.dumps(request.content, ensure_ascii=False).encode()
        with deadline.ending(connection.sock):
            connection.request("POST", f"{target}?{parts.query}" if parts.query else target, content, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(_LONGEST_ANSWER)
    except (OSError, HTTPException, ValueError) as error:
        # ValueError is that of an address or a header that cannot be used.
        raise NotSent(f"{host}: {error or type(error).__name__}") from None
    finally:
        if connection:
            connection.close()


class _Deadline:
    """Ends a post in time: the timeout of a socket begins anew with each byte."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def timeout(self) -> float:
        """Return how long the next step may last, in seconds. Raises TimeoutError after the deadline."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise self._error()
        return min(left, _SECONDS)

    @contextmanager
    def ending(self, opened: socket.socket) -> Iterator[None]:
        """End the connection of a socket at the deadline. Raises TimeoutError then, whatever was read."""
        ended = threading.Event()

        def end() -> None:
            ended.set()
            # Not SSLSocket.shutdown, which drops the encryption below a thread that reads.
            with suppress(OSError):
                socket.socket.shutdown(opened, socket.SHUT_RDWR)

        timer = threading.Timer(max(0.0, self._end - time.monotonic()), end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (OSError, HTTPException):
            if not ended.is_set():
                raise
        finally:
            timer.cancel()
        # An answer that was cut off looks like a short one.
        if ended.is_set():
            raise self._error()

    def _error(self) -> TimeoutError:
        return TimeoutError(f"no whole answer within {self._seconds:g} seconds")


def _connection(host: str, port: int, secure: bool, private_addresses: bool, deadline: _Deadline) -> HTTPConnection:
    """Return a connection to one of the addresses of the host that was checked, so that no other one is used later."""
    addresses = list(
        dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    )
    usable = [address for address in addresses if private_addresses or _is_public(address)]
    if not usable:
        raise OSError(f"private address {addresses[0]} is refused; allow it with privateAddresses: true")
    failure: OSError | None = None
    for address in usable:
        try:
            opened = socket.create_connection((address, port), timeout=deadline.timeout())
        except OSError as error:
            failure = error
            continue
        if not secure:
            connection = HTTPConnection(host, port)
            connection.sock = opened
        else:
            context = ssl.create_default_context()
            connection = HTTPSConnection(host, port, context=context)
            # The timeout of a handshake is that of all of it.
            opened.settimeout(deadline.timeout())
            connection.sock = context.wrap_socket(opened, server_hostname=host)
        connection.sock.settimeout(_SECONDS)
        return connection
    raise failure or OSError("no address")


def _is_public(address: str) -> bool:
    """Tell whether an address is on the public internet; an IPv4 address inside an IPv6 one is checked in its place."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.is_site_local or ip in _LOCAL_NAT64:
            return False
        wrapped = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if wrapped is None and any(ip in network for network in _IPV4_AT_THE_END):
            wrapped = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        ip = wrapped or ip
    return ip.is_global and not ip.is_multicast
