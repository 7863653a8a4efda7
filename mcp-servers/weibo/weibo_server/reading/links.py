"""Follows short links over HTTP, one redirect at a time, up to an address of the site."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from dyber_kit import ErrorCode, Metrics, ServiceError
from dyber_kit.browser.pages import Pages
from dyber_kit.upstream.cache import Cache
from dyber_kit.upstream.http import ENDPOINT, create_client

from weibo_server.browsing.walls import WALLS
from weibo_server.config import WeiboSettings
from weibo_server.model.references import first_link, is_short_link
from weibo_server.texts import tr_lazy

_MOST_REDIRECTS = 3
# Other calls wait while a link is followed.
_WAIT_SECONDS = 5.0
# A short link always leads to the same address.
_KEEP_SECONDS = 86_400.0


class Links:
    """Turns texts with a short link into texts with the link that it leads to; each new link takes a turn.

    Args:
        settings: Says what short links start with.
        pages: Gives turns, and none during a pause.
        cache: Keeps where short links lead.
        metrics: Where requests are counted.
    """

    def __init__(self, settings: WeiboSettings, pages: Pages, cache: Cache, metrics: Metrics | None = None) -> None:
        self._short_url = settings.short_url
        self._pages = pages
        self._cache = cache
        self._keep_seconds = min(_KEEP_SECONDS, settings.cache_seconds)
        self._client = create_client(
            [urlsplit(settings.short_url).hostname or ""],
            metrics=metrics,
            timeout=_WAIT_SECONDS,
            max_bytes=256 * 1024,
            attempts=2,
            follow_redirects=False,
        )

    async def expand(self, text: str, account: str) -> str:
        """Return the target of the first link of a text when it is a short link, else the text.

        Args:
            text: What a caller passed.
            account: The account whose turn it is.

        Raises:
            ServiceError: NOT_FOUND for an invalid short link; UPSTREAM_UNREACHABLE without an answer; the refusal of
                the site; or like `Pages.turn`.
        """
        url = first_link(text)
        if url is None or not is_short_link(url, self._short_url):
            return text

        async def load() -> str:
            async with self._pages.turn(account):
                return await self._target(url)

        target: str = await self._cache.get_or_load(f"short_link:{url}", self._keep_seconds, load)
        return target

    async def _target(self, url: str) -> str:
        for _ in range(_MOST_REDIRECTS):
            answer = await self._client.get(url, extensions={ENDPOINT: "short_link"})
            if wall := WALLS.of_answer(answer.status_code, None):
                raise wall.error()
            location = answer.headers.get("location")
            if not answer.is_redirect or not location:
                break
            url = urljoin(url, location)
            if not is_short_link(url, self._short_url):
                return url
        raise ServiceError(
            ErrorCode.NOT_FOUND,
            tr_lazy("The short link leads nowhere"),
            tr_lazy("Open it in a browser, and pass the address that is shown there"),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
