"""Follows share links over HTTP, one redirect at a time, up to an address of the platform."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from dyber_kit import ErrorCode, Metrics, ServiceError
from dyber_kit.upstream.http import ENDPOINT, create_client

from xiaohongshu_server.model.references import (
    PLATFORM_DOMAINS,
    SHORT_LINK_DOMAINS,
    first_link,
    is_short_link,
)
from xiaohongshu_server.texts import tr_lazy

_MAX_REDIRECTS = 4
_NEXT_STEP = tr_lazy("Open the short link in a browser, and copy the complete link from the address bar")


class Links:
    """Follows the short links in pasted texts."""

    def __init__(self, base_url: str, metrics: Metrics | None = None) -> None:
        self._base_url = base_url
        base_host = urlsplit(base_url).hostname or ""
        subdomains = [f"*.{domain}" for domain in (*PLATFORM_DOMAINS, *SHORT_LINK_DOMAINS)]
        self._client = create_client(
            [*PLATFORM_DOMAINS, *SHORT_LINK_DOMAINS, *subdomains, base_host],
            metrics=metrics,
            max_bytes=256 * 1024,
            attempts=2,
            follow_redirects=False,
        )

    async def expand(self, text: str) -> str:
        """Return the first link in `text`, with its redirects followed while it is a short link.

        Raises:
            ServiceError: NOT_FOUND for an invalid short link; UPSTREAM_UNREACHABLE without an answer.
        """
        url = first_link(text)
        for _ in range(_MAX_REDIRECTS):
            if not is_short_link(url, self._base_url):
                return url
            # GET: some short-link services answer HEAD with an error.
            answer = await self._client.get(url, extensions={ENDPOINT: "short_link"})
            location = answer.headers.get("location")
            if not answer.is_redirect or not location:
                raise ServiceError(
                    ErrorCode.NOT_FOUND, tr_lazy("The short link is no longer valid, or is not known"), _NEXT_STEP
                )
            url = urljoin(url, location)
        raise ServiceError(ErrorCode.NOT_FOUND, tr_lazy("The short link redirects too often"), _NEXT_STEP)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
