"""Holds what all readers share: the cache, the choice between the official API and pages, and cursors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.answer_models import Notice
from dyber_kit.calling.cursors import decode_cursor, encode_cursor
from dyber_kit.reading.lists import Listing, SiteList
from dyber_kit.reading.memory import Memory
from dyber_kit.times import stamp
from dyber_kit.upstream.cache import Cache
from dyber_kit.upstream.privacy import Privacy
from dyber_kit.upstream.values import Json
from pydantic import BaseModel, Field

from zhihu_server.browsing.site import SiteReader
from zhihu_server.config import ZhihuSettings
from zhihu_server.model.references import References
from zhihu_server.official.api import OfficialApi
from zhihu_server.reading.parse import Parser
from zhihu_server.texts import tr_lazy

Source = Literal["auto", "official", "browser"]
# Refusals of the official API after which a page may be read in its place. A rate limit or a restriction of the account
# is not among them: it is to be respected, and not to be avoided.
_REPLACED = {
    ErrorCode.QUOTA_EXHAUSTED, ErrorCode.LOGIN_EXPIRED, ErrorCode.UPSTREAM_UNREACHABLE, ErrorCode.UPSTREAM_CHANGED,
}  # fmt: skip
# Characters of an answer besides its longest list.
_FRAME_CHARS = 2500
# Readers have bounds of their own, which are lower.
_MOST_ENTRIES = 1_000_000


class Kept(BaseModel):
    """Holds what Zhihu sent, from where and when."""

    source: str
    fetched_at: str
    data: Json
    warnings: list[Notice] = Field(default_factory=list)

    @property
    def frame(self) -> Json:
        """Return the fields that every answer begins with."""
        return {"source": self.source, "fetched_at": self.fetched_at, "warnings": list(self.warnings)}


class KeptList(Listing[Json]):
    """Holds the start of a list of a page.

    Attributes:
        data: What the page has besides the list.
        asked: The number of entries that were asked for.
    """

    data: Json
    asked: int

    def covers(self, start: int, end: int) -> bool:
        """Return whether the list has the entries, or all that the page loaded when it was asked for as many."""
        some = len(self.items) > start or not start
        return super().covers(start, end) or (self.asked >= end and some)


Load = Callable[[], Awaitable[Json]]
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
        self._memory = Memory(cache, settings.base_url, settings.cache_seconds, max_answer_chars, _FRAME_CHARS)
        self.max_list_chars = self._memory.max_list_chars

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
            reason = tr_lazy("The official API was not usable ({code}); this is from the page", code=str(error.code))
            return kept.model_copy(update={"warnings": [*kept.warnings, reason]})

    async def kept(self, source: str, key: str, seconds: float, load: Load) -> Kept:
        """Return what `load` returns, or what it returned less than `seconds` ago with the source `cache`."""

        async def run() -> Kept:
            return Kept(source=source, fetched_at=stamp(), data=await load())

        return await self._memory.answer(Kept, f"{source} {key}", seconds, run)

    async def listed(self, key: str, start: int, end: int, seconds: float, load: Load) -> Kept:
        """Return a list of a page, of which the entries from `start` to before `end` are wanted.

        Args:
            key: What is read, for the cache.
            start: The place of the first entry that is wanted.
            end: The number of entries to be read from the start of the list.
            seconds: How long the list is cached.
            load: Reads the page; returns `items`, and in `complete` whether these are all.
        """

        async def run(_: int, target: int) -> KeptList:
            data = await load()
            items, complete = data.pop("items"), bool(data.pop("complete"))
            return KeptList(items=items, complete=complete, fetched_at=stamp(), data=data, asked=target)

        wanted = SiteList(KeptList, f"list {key}", _MOST_ENTRIES, seconds, run, identity=_identity)
        listing, source = await self._memory.listing(wanted, start, end)
        data = {**listing.data, "items": listing.items, "complete": listing.complete}
        return Kept(source=source, fetched_at=listing.fetched_at, data=data)


def _identity(entry: Json) -> str:
    content = entry.get("object")
    return f"{content.get('type')} {content.get('id')}" if isinstance(content, dict) else str(entry.get("id"))


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
