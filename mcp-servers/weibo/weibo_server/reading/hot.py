"""Reads hot lists and the platform's summaries."""

from __future__ import annotations

from typing import Any, Literal, get_args
from urllib.parse import quote

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.answer_models import Notice
from dyber_kit.browser.pages import Pages
from dyber_kit.calling.cursors import fit_items
from dyber_kit.reading.memory import Memory
from dyber_kit.times import stamp
from dyber_kit.upstream.text import clean_text
from dyber_kit.upstream.values import as_object, moment, number

from weibo_server.browsing.platform import HOT_WORDS
from weibo_server.model.answers import AiSearch, HotList, HotWord
from weibo_server.model.words import search_words
from weibo_server.reading.official import OfficialApi, WireHotWord, not_configured
from weibo_server.reading.reader import SiteReader
from weibo_server.texts import tr_lazy

Board = Literal["主榜", "文娱榜", "社会榜", "生活榜", "acg榜", "科技榜", "体育榜"]
MAIN: Board = get_args(Board)[0]
#: The board of the site that everybody sees, and its longest list.
MOST_HOT_WORDS = 50
_HOT_SECONDS = 120.0
_SUMMARY_SECONDS = 600.0
_WORD_CHARS = 100
_FLAGS = {"1": "新", "2": "热"}


class HotReader:
    """Answers what is talked about.

    Args:
        official: The official API.
        reader: Opens pages, for the main board without the official API.
        pages: Knows the accounts.
        memory: Caches answers.
    """

    def __init__(self, official: OfficialApi, reader: SiteReader, pages: Pages, memory: Memory) -> None:
        self._official = official
        self._reader = reader
        self._pages = pages
        self._memory = memory

    async def hot_list(self, board: Board, limit: int, verbose: bool) -> HotList:
        """Return the first topics of a board.

        Raises:
            ServiceError: NOT_CONFIGURED for all boards but the main one without credentials; or the refusal.
        """
        if self._official.configured:
            whole = await self._memory.answer(HotList, f"{board}", _HOT_SECONDS, lambda: self._by_api(board))
        elif board == MAIN:
            whole = await self._memory.answer(HotList, "page", _HOT_SECONDS, self._by_page)
        else:
            raise not_configured(fields=["board"])
        items = [item if verbose else item.model_copy(update={"url": None}) for item in whole.items[:limit]]
        items = fit_items(items, self._memory.max_list_chars)
        return whole.model_copy(update={"items": items, "count": len(items)})

    async def summary(self, query: str, max_chars: int) -> AiSearch:
        """Return the platform's summary of what is posted about a query. Raises ServiceError like `OfficialApi`."""
        query = search_words("query", query)

        async def load() -> AiSearch:
            wire = await self._official.summary(query)
            origin = _attribution(wire.source, "来自于微博智搜")
            content = clean_text(wire.content, html=False).text
            complete = (wire.completed or not wire.analyzing) and (wire.noContent or bool(content))
            return AiSearch(
                query=query,
                content=content,
                complete=complete,
                references=wire.referenceCount,
                as_of=moment(wire.callTime),
                attribution=f"关键词: {query}，{wire.callTime or ''}，{origin}",
                warnings=_summary_warnings(complete, content),
                source="official",
                fetched_at=stamp(),
            )

        # A summary that is still being written is asked for again.
        answer = await self._memory.answer(AiSearch, query, _SUMMARY_SECONDS, load, keep=lambda kept: kept.complete)
        shown = clean_text(answer.content, max_chars, html=False)
        return answer.model_copy(update={"content": shown.text, "truncated": shown.truncated})

    async def _by_api(self, board: Board) -> HotList:
        wire = await self._official.hot_list(board, MOST_HOT_WORDS)
        items = [_official_word(word) for word in wire.data]
        origin = _attribution(wire.source, "来自于微博热搜")
        return HotList(
            board=board,
            items=items,
            count=len(items),
            as_of=moment(wire.callTime),
            attribution=f"{board} {wire.callTime or ''}，{origin}",
            warnings=[] if items else [tr_lazy("Weibo sent an empty board")],
            source="official",
            fetched_at=stamp(),
        )

    async def _by_page(self) -> HotList:
        account = self._pages.account("")
        async with self._reader.web(account, "/hot/search") as page:
            body = await page.answer(HOT_WORDS, {})
        words = as_object(body.get("data")).get("realtime")
        if not isinstance(words, list):
            raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
        # Advertisements have no place in the ranking.
        ranked = [word for word in words if isinstance(word, dict) and word.get("word") and not word.get("is_ad")]
        items = [_page_word(rank, word) for rank, word in enumerate(ranked, start=1)]
        if words and not items:
            raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
        now = stamp()
        return HotList(
            board=MAIN,
            items=items,
            count=len(items),
            as_of=now,
            attribution=f"{MAIN} {now[:16].replace('T', ' ')}，来自微博热搜网页",
            warnings=[
                tr_lazy("Read from the website, because the official API is not configured; advertisements left out")
            ],
            fetched_at=now,
        )


def _official_word(word: WireHotWord) -> HotWord:
    return HotWord(
        rank=word.id,
        word=clean_text(word.word, _WORD_CHARS).text,
        heat=number(word.num),
        flag=None if word.flag in (None, "", "0") else _FLAGS.get(word.flag, word.flag),
        url=word.h5_query_link or search_url(word.word),
    )


def _page_word(rank: int, word: dict[str, Any]) -> HotWord:
    shown = clean_text(word.get("word"), _WORD_CHARS).text
    query = word.get("word_scheme")
    return HotWord(
        rank=rank,
        word=shown,
        heat=number(word.get("num") if word.get("num") is not None else word.get("raw_hot")),
        flag=clean_text(word.get("label_name"), 10).text or None,
        url=search_url(query if isinstance(query, str) and query else shown),
    )


def search_url(words: str) -> str:
    """Return the address of the site's search for words."""
    return f"https://s.weibo.com/weibo?q={quote(words, safe='')}"


def _attribution(sent: str | None, usual: str) -> str:
    return clean_text(sent, 60).text or usual


def _summary_warnings(complete: bool, content: str) -> list[Notice]:
    if not complete:
        return [tr_lazy("Weibo is still writing this summary; ask again in half a minute for the rest")]
    return [] if content else [tr_lazy("Weibo found nothing about this query")]
