"""Reads what needs neither a browser nor a signature: hot words, and files with subtitles."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import httpx2
from dyber_kit import ErrorCode, Metrics, ServiceError
from dyber_kit.upstream.http import ENDPOINT, create_client, host_allowed

from bilibili_server.browsing.walls import WALLS
from bilibili_server.config import SiteSettings

#: Where the site keeps subtitles and pictures.
_FILE_HOSTS = ("*.hdslb.com", "*.bilibili.com")


class HttpReader:
    """Reads by plain HTTP, without a session; every method raises ServiceError without an answer."""

    def __init__(self, settings: SiteSettings, metrics: Metrics | None = None) -> None:
        self._settings = settings
        base_host = urlsplit(settings.base_url).hostname or ""
        self._file_hosts = (*_FILE_HOSTS, base_host)
        self._client = create_client(
            self._file_hosts,
            metrics=metrics,
            attempts=2,
            follow_redirects=False,
        )

    async def hot_words(self, limit: int) -> list[Any]:
        """Return the objects of the words that people search for most."""
        url = f"{self._settings.origin('s.search')}/main/hotword"
        answer = await self._json(url, "hotword", {"limit": limit})
        words = answer.get("list")
        if not isinstance(words, list):
            raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
        return words

    async def subtitle(self, url: str) -> list[Any]:
        """Return the lines of a file with subtitles, whose address the site's page received."""
        if url.startswith("//"):
            url = f"{urlsplit(self._settings.base_url).scheme}:{url}"
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not host_allowed(parts.hostname or "", self._file_hosts):
            raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
        answer = await self._json(url, "subtitle")
        lines = answer.get("body")
        if not isinstance(lines, list):
            raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
        return lines

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _json(self, url: str, endpoint: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = await self._client.get(url, params=params, extensions={ENDPOINT: endpoint})
        body = _body(answer)
        if wall := WALLS.of_answer(answer.status_code, body):
            raise wall.error()
        if answer.status_code != 200 or not isinstance(body, dict):
            raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
        return body


def _body(answer: httpx2.Response) -> Any:
    """Return the JSON of an answer, or None when it has none."""
    try:
        return answer.json()
    except ValueError:
        return None
