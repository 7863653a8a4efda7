"""Reads a JSON Feed through a guarded client, one request at a time, and caches each page."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import urljoin, urlsplit

import httpx2
from dyber_kit import ErrorCode, Metrics, ServiceError, Settings
from dyber_kit.calling.cursors import decode_cursor, encode_cursor, fit_items
from dyber_kit.times import iso_utc
from dyber_kit.upstream.breaker import Breaker
from dyber_kit.upstream.cache import Cache
from dyber_kit.upstream.http import ENDPOINT, create_client
from dyber_kit.upstream.pacing import Pacer
from dyber_kit.upstream.text import clean_text, parse_time
from pydantic import ValidationError

from template_server.config import URL_SETTING, FeedSettings
from template_server.models import (
    Entry,
    EntrySummary,
    FeedPage,
    SearchResult,
    WireFeed,
    WireItem,
)
from template_server.texts import tr_lazy

SEARCH_TOOL = "template_search"
#: Most pages of the feed that one call reads.
MAX_PAGES = 10
_LONGEST_TEXT = 20_000
_SUMMARY_CHARS = 200
#: Characters of an answer besides its items.
_FRAME_CHARS = 800


class FeedReader:
    """Searches a feed and reads its entries.

    Args:
        feed: The address of the feed; without one, every call raises an error that says what to set.
        settings: The settings that every service has.
        cache: Caches pages of the feed.
        metrics: Where requests and the queue are counted.
    """

    def __init__(self, feed: FeedSettings, settings: Settings, cache: Cache, metrics: Metrics) -> None:
        self._feed = feed
        self._settings = settings
        self._cache = cache
        self._host = urlsplit(feed.url).hostname if feed.url else None
        self._client = create_client([self._host] if self._host else [], metrics=metrics)
        breaker = Breaker("feed", metrics=metrics)
        self._pacer = Pacer("feed", min_interval=feed.min_interval, breaker=breaker, metrics=metrics)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Close the connections at the end; this is the lifespan of the service."""
        try:
            yield
        finally:
            await self._client.aclose()
            await self._cache.close()

    async def search(self, query: str, limit: int, cursor: str) -> SearchResult:
        """Return up to `limit` entries whose title, text or tags contain `query`, from `cursor` on.

        Raises ServiceError: INVALID_ARGUMENT for a cursor of another query or of a feed that has changed since; or
        the error that reading the feed raises.
        """
        kind = f"search:{query.casefold()}"
        after = decode_cursor(kind, cursor)["after"] if cursor else None
        matches: list[EntrySummary] = []
        source, more, complete = "", False, True
        async for page in self._pages():
            source, complete = source or page.title, page.next_url is None
            for entry in page.entries:
                if after is not None:
                    after = None if _mark(entry.id) == after else after
                elif _matches(entry, query):
                    matches.append(_summary(entry))
            if more := len(matches) > limit:
                break
        if after is not None:
            raise ServiceError(
                ErrorCode.INVALID_ARGUMENT,
                tr_lazy("The feed has changed between the two calls, so there is no next page"),
                tr_lazy("Search again without a cursor"),
            )
        items = fit_items(matches[:limit], self._settings.max_answer_chars - _FRAME_CHARS)
        more = more or len(items) < len(matches)
        next_cursor = encode_cursor(kind, {"after": _mark(items[-1].id)}) if more else None
        return SearchResult(
            source=source, items=items, count=len(items), next_cursor=next_cursor, complete=complete or more
        )

    async def get(self, entry_id: str, max_chars: int) -> Entry:
        """Return the entry with the id `entry_id`, its text cut after `max_chars`.

        Raises ServiceError: NOT_FOUND, or the error that reading the feed raises.
        """
        async for page in self._pages():
            for entry in page.entries:
                if entry.id == entry_id:
                    cut = clean_text(entry.text, max_chars, html=False)
                    return entry.model_copy(update={"text": cut.text, "truncated": cut.truncated or entry.truncated})
        raise ServiceError(ErrorCode.NOT_FOUND, next_step=tr_lazy("Use an id that {tool} returned", tool=SEARCH_TOOL))

    async def _pages(self) -> AsyncIterator[FeedPage]:
        if self._feed.url is None:
            raise ServiceError(
                ErrorCode.NOT_CONFIGURED,
                tr_lazy("The address of the feed ({setting}) is not set", setting=URL_SETTING),
                tr_lazy(
                    "Ask the operator to set {setting} (the address of a JSON Feed) in Pulumi.<stack>.yaml, under "
                    "dyber:services in the environment of this service, and to deploy it again",
                    setting=URL_SETTING,
                ),
            )
        url: str | None = self._feed.url
        for _ in range(MAX_PAGES):
            if url is None:
                return
            page = await self._page(url)
            yield page
            url = page.next_url

    async def _page(self, url: str) -> FeedPage:
        return await self._cache.get_or_load_model(
            FeedPage, f"page:{url}", self._feed.cache_seconds, lambda: self._fetch(url)
        )

    async def _fetch(self, url: str) -> FeedPage:
        async with self._pacer.turn():
            answer = await self._client.get(url, extensions={ENDPOINT: "feed"})
            _check_status(answer)
        try:
            wire = WireFeed.model_validate_json(answer.content)
        except ValidationError:
            raise ServiceError(
                ErrorCode.UPSTREAM_CHANGED,
                tr_lazy("The answer is not a JSON Feed"),
                tr_lazy("Ask the operator to check what {setting} leads to", setting=URL_SETTING),
            ) from None
        next_url = urljoin(url, wire.next_url) if wire.next_url else None
        if next_url and urlsplit(next_url).hostname != self._host:
            raise ServiceError(
                ErrorCode.UPSTREAM_CHANGED, tr_lazy("The next page of the feed is on another site, and was not read")
            )
        title = clean_text(wire.title, 200, html=False).text
        return FeedPage(title=title, entries=[_entry(item) for item in wire.items], next_url=next_url)


def _check_status(answer: httpx2.Response) -> None:
    """Raise ServiceError for every status but 200."""
    status = answer.status_code
    if status == 200:
        return
    if status == 429:
        seconds = answer.headers.get("retry-after", "")
        raise ServiceError(ErrorCode.RATE_LIMITED, retry_after=float(seconds) if seconds.isdigit() else None)
    if status in (401, 403):
        message = tr_lazy("The feed's site refused access (HTTP {status})", status=status)
        raise ServiceError(ErrorCode.ACCESS_RESTRICTED, message, whole_account=True)
    if status >= 500:
        raise ServiceError(
            ErrorCode.UPSTREAM_UNREACHABLE, tr_lazy("The feed's site had an error (HTTP {status})", status=status)
        )
    raise ServiceError(
        ErrorCode.UPSTREAM_CHANGED,
        tr_lazy("The feed's site gave no content (HTTP {status})", status=status),
        tr_lazy("Ask the operator to check whether {setting} is still valid", setting=URL_SETTING),
    )


def _entry(item: WireItem) -> Entry:
    """Return an item of the feed as plain text of bounded size."""
    if item.content_text is not None:
        text = clean_text(item.content_text, _LONGEST_TEXT, html=False)
    else:
        text = clean_text(item.content_html or item.summary, _LONGEST_TEXT)
    return Entry(
        id=item.id,
        title=clean_text(item.title, 200).text or text.text[:50],
        url=item.url,
        published=iso_utc(parse_time(item.date_published, datetime.now(UTC), UTC)),
        authors=[clean_text(author.name, 100).text for author in item.authors if author.name][:10],
        tags=[clean_text(tag, 100).text for tag in item.tags][:20],
        text=text.text,
        truncated=text.truncated,
    )


def _summary(entry: Entry) -> EntrySummary:
    summary = entry.text[:_SUMMARY_CHARS]
    return EntrySummary(id=entry.id, title=entry.title, published=entry.published, summary=summary)


def _matches(entry: Entry, query: str) -> bool:
    folded = query.casefold()
    return any(folded in part.casefold() for part in (entry.title, entry.text, *entry.tags))


def _mark(entry_id: str) -> str:
    """Return a short hash that stands for an id in a cursor, whose length is limited."""
    return hashlib.sha256(entry_id.encode()).hexdigest()[:16]
