"""Fetches small JSON documents of identity providers: TLS is verified, and the size and the time are limited."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2
from dyber_kit.errors import ServiceError
from dyber_kit.upstream.http import create_client, is_public, tls_context

from dyber_hub.tokens.configuration import Issuer
from dyber_hub.tokens.outcomes import Unavailable

#: Larger than any set of keys, and small enough for the hub's memory.
MOST_BYTES = 256 * 1024
SECONDS = 3.0


class Documents:
    """Fetches documents of an identity provider. Only its own addresses, and those it names, are asked for."""

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer
        self._clients: dict[str, httpx2.AsyncClient] = {}

    async def get(self, url: str) -> Mapping[str, Any]:
        """Return the JSON object at `url`. Raises Unavailable."""
        return await self._request("GET", url)

    async def post(self, url: str, form: Mapping[str, str], user: str, password: str) -> Mapping[str, Any]:
        """Send a form with HTTP Basic authentication, and return the JSON object of the answer. Raises Unavailable."""
        # RFC 6749, section 2.3.1: both are encoded before they are joined.
        credentials = httpx2.BasicAuth(quote(user, safe=""), quote(password, safe=""))
        return await self._request("POST", url, data=dict(form), auth=credentials)

    async def aclose(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            await client.aclose()

    async def _request(self, method: str, url: str, **options: Any) -> Mapping[str, Any]:
        host = urlsplit(url).hostname or ""
        try:
            async with self._client(host).stream(
                method, url, headers={"Accept": "application/json"}, follow_redirects=False, **options
            ) as response:
                if response.status_code != 200:
                    raise Unavailable(f"{host} answered with status {response.status_code}")
                body = b""
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MOST_BYTES:
                        raise Unavailable(f"{host} sent more than {MOST_BYTES} bytes")
            document = json.loads(body)
        except (httpx2.HTTPError, httpx2.InvalidURL, ServiceError, OSError, ValueError, RecursionError) as error:
            # Not the error's text, which could quote what was sent.
            raise Unavailable(f"{host} gave no usable answer ({type(error).__name__})") from error
        if not isinstance(document, dict):
            raise Unavailable(f"{host} sent no JSON object")
        return document

    def _client(self, host: str) -> httpx2.AsyncClient:
        if host not in self._clients:
            self._clients[host] = self._made_client(host)
        return self._clients[host]

    def _made_client(self, host: str) -> httpx2.AsyncClient:
        if self._issuer.private_addresses:
            context = tls_context(self._issuer.authorities)
            return httpx2.AsyncClient(verify=context, trust_env=False, timeout=SECONDS)
        # The client below takes an address that is named exactly, as metadata can name it.
        if _is_address(host) and not is_public(host):
            raise Unavailable(f"{host} is a private address")
        return create_client(
            [host], timeout=SECONDS, max_bytes=MOST_BYTES, attempts=2, certificates=self._issuer.authorities
        )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
