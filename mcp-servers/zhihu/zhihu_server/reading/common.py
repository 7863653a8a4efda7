"""Holds what all readers share: the cache, the choice between the official API and pages, and cursors."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Literal

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.calling.cursors import decode_cursor, encode_cursor
from dyber_kit.times import iso_local
from dyber_kit.upstream.cache import Cache
from dyber_kit.upstream.privacy import Privacy
from dyber_kit.upstream.sharing import SharedWork
from pydantic import BaseModel

from zhihu_server.browsing.site import SiteReader
from zhihu_server.config import ZhihuSettings
from zhihu_server.model.references import References
from zhihu_server.official.api import OfficialApi
from zhihu_server.reading.parse import Parser
from zhihu_server.texts import tr, tr_lazy

Source = Literal["auto", "official", "browser"]
# Refusals of the official API after which a page may be read in its place. A rate limit or a restriction of the account
# is not among them: it is to be respected, and not to be avoided.
_REPLACED = {
    ErrorCode.QUOTA_EXHAUSTED, ErrorCode.LOGIN_EXPIRED, ErrorCode.UPSTREAM_UNREACHABLE, ErrorCode.UPSTREAM_CHANGED,
}  # fmt: skip
# Characters of an answer besides its longest list.
_FRAME_CHARS = 2500


class Kept(BaseModel):
    """Holds what Zhihu sent, from where and when.

    `asked` is the number of entries of a list that were asked for, and `since` when its first ones were read.
    """

    source: str
    fetched_at: str
    data: dict[str, Any]
    warnings: list[str] = []
    asked: int = 0
    since: float = 0.0

    @property
    def frame(self) -> dict[str, Any]:
        """Return the fields that every answer begins with."""
        return {"source": self.source, "fetched_at": self.fetched_at, "warnings": list(self.warnings)}


Load = Callable[[], Awaitable[dict[str, Any]]]
Read = Callable[[], Awaitable[Kept]]


class Sources:
    """Gives readers the official API and the pages, and caches what both send.

    Args:
        settings: The settings of this service.
        official: Asks the official API.
        site: Reads pages.
        references: Reads how callers name things.
        privacy: Hides users.
        cache: Keeps what was read.
        max_answer_chars: Longest answer, in characters of JSON.
    """

    def __init__(
        self,
        settings: ZhihuSettings,
        official: OfficialApi,
        site: SiteReader,
        references: References,
        privacy: Privacy,
        cache: Cache,
        max_answer_chars: int,
    ) -> None:
        self.settings = settings
        self.official = official
        self.site = site
        self.references = references
        self.privacy = privacy
        self.parser = Parser(references, privacy)
        self.max_list_chars = max_answer_chars - _FRAME_CHARS
        self._cache = cache
        self._sharing = SharedWork()

    def account(self, name: str) -> str:
        """Return the account whose pages the current caller reads; what accounts see is cached for each alone."""
        return self.site.account(name)

    async def official_first(self, source: Source, key: str, seconds: float, official: Load, browser: Read) -> Kept:
        """Return what the official API sends, or what a page has when there is no secret or the API fails.

        Args:
            source: `official` and `browser` allow only that one.
            key: What the official API is asked for, for the cache.
            seconds: How long its answer is cached.
            official: Asks the official API.
            browser: Reads a page, or returns what was cached of it.

        Raises:
            ServiceError: The refusal of the last one that was asked.
        """
        if source == "browser" or (source == "auto" and not self.official.is_configured):
            return await browser()
        try:
            return await self.kept("official", key, seconds, official)
        except ServiceError as error:
            if source == "official" or error.code not in _REPLACED:
                raise
            kept = await browser()
            reason = tr("The official API was not usable ({code}); this is from the page", code=error.code)
            return kept.model_copy(update={"warnings": [*kept.warnings, reason]})

    async def kept(self, source: str, key: str, seconds: float, load: Load) -> Kept:
        """Return what `load` returns, or what it returned less than `seconds` ago with the source `cache`."""
        loaded = False

        async def run() -> Kept:
            nonlocal loaded
            loaded = True
            return Kept(source=source, fetched_at=now(), data=await load())

        ttl = min(seconds, self.settings.cache_seconds)
        kept = await self._cache.get_or_load_model(Kept, f"{self.settings.base_url} {source} {key}", ttl, run)
        return kept if loaded else kept.model_copy(update={"source": "cache"})

    async def listed(self, key: str, start: int, end: int, seconds: float, load: Load) -> Kept:
        """Return a list of a page, of which the entries from `start` to before `end` are wanted.

        Zhihu may rank a list anew for each visit. So entries keep their places while the list is cached, and new ones
        follow them; else the next part would repeat or omit some.

        Args:
            key: What is read, for the cache.
            start: The place of the first entry that is wanted.
            end: The number of entries to be read from the start of the list.
            seconds: How long the list is cached.
            load: Reads the page; returns `items`, and in `complete` whether these are all.
        """
        name = f"{self.settings.base_url} list {key}"
        cached = await self._list(name)
        if cached and _has(cached, start, end):
            return cached.model_copy(update={"source": "cache"})

        async def run() -> Kept:
            data = await load()
            # Another part may have been read meanwhile.
            earlier = await self._list(name)
            items = [*earlier.data["items"], *data["items"]] if earlier else data["items"]
            data["items"] = list({_identity(entry): entry for entry in items}.values())
            since = earlier.since if earlier else time.time()
            kept = Kept(source="browser", fetched_at=now(), data=data, asked=end, since=since)
            ttl = min(seconds, self.settings.cache_seconds) - (time.time() - since)
            await self._cache.set(name, kept, ttl)
            return kept

        return await self._sharing.run(f"{name} {start} {end}", run)

    async def _list(self, name: str) -> Kept | None:
        cached = await self._cache.get(name)
        return Kept.model_validate(cached) if cached else None


def _has(kept: Kept, start: int, end: int) -> bool:
    """Return whether a cached list has the wanted entries, or all that the page had of them."""
    count = len(kept.data["items"])
    return bool(kept.data["complete"]) or count >= end or (kept.asked >= end and (count > start or not start))


def _identity(entry: dict[str, Any]) -> str:
    content = entry.get("object")
    return f"{content.get('type')} {content.get('id')}" if isinstance(content, dict) else str(entry.get("id"))


def now() -> str:
    """Return the present for `fetched_at`."""
    return iso_local(datetime.now(UTC)) or ""


def start_of(kind: str, cursor: str, most: int) -> int:
    """Return the position at which a cursor goes on; 0 without one.

    Raises:
        ServiceError: INVALID_ARGUMENT for a cursor of another list.
    """
    start = decode_cursor(kind, cursor).get("start") if cursor else 0
    if not isinstance(start, int) or not 0 <= start <= most:
        raise ServiceError(ErrorCode.INVALID_ARGUMENT, tr_lazy("The cursor is not valid"), fields=["cursor"])
    return start


def cursor_at(kind: str, start: int) -> str:
    """Return the cursor that goes on at a position."""
    return encode_cursor(kind, {"start": start})
