"""Posts requests to addresses of the internet, and refuses private ones."""

from __future__ import annotations

import ipaddress
import json
import socket
import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from dyber_alerts.forms import Request

_SECONDS = 10
_LONGEST_ANSWER = 65536


class NotSent(Exception):
    """A message could not be posted; the text says why, without its address."""


def post(request: Request, *, private_addresses: bool) -> tuple[int, bytes]:
    """Post a request and return the status and the body of the answer. Redirects are not followed.

    Args:
        request: What is posted, as JSON.
        private_addresses: Whether the host may have a private address or one of this machine.

    Raises:
        NotSent: There was no answer.
    """
    host, connection = "", None
    try:
        parts = urlsplit(request.url)
        host, secure = parts.hostname or "", parts.scheme == "https"
        connection = _connection(host, parts.port or (443 if secure else 80), secure, private_addresses)
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "dyber-alerts", **request.headers}
        target = parts.path or "/"
        content = json.dumps(request.content, ensure_ascii=False).encode()
        connection.request("POST", f"{target}?{parts.query}" if parts.query else target, content, headers)
        answer = connection.getresponse()
        return answer.status, answer.read(_LONGEST_ANSWER)
    except (OSError, HTTPException, ValueError) as error:
        # ValueError is that of an address or a header that cannot be used.
        raise NotSent(f"{host}: {error or type(error).__name__}") from None
    finally:
        if connection:
            connection.close()


def _connection(host: str, port: int, secure: bool, private_addresses: bool) -> HTTPConnection:
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
            opened = socket.create_connection((address, port), timeout=_SECONDS)
        except OSError as error:
            failure = error
            continue
        if not secure:
            connection = HTTPConnection(host, port, timeout=_SECONDS)
            connection.sock = opened
            return connection
        context = ssl.create_default_context()
        secured = HTTPSConnection(host, port, timeout=_SECONDS, context=context)
        secured.sock = context.wrap_socket(opened, server_hostname=host)
        return secured
    raise failure or OSError("no address")


def _is_public(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return parsed.is_global and not parsed.is_multicast
