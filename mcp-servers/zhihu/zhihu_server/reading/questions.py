"""Reads questions with their answers: excerpts from the official API, or whole texts from the page."""

from __future__ import annotations

from typing import Any, Literal

from dyber_kit import ServiceError
from dyber_kit.calling.cursors import decode_cursor, fit_items
from dyber_kit.upstream.values import first, line, moment, number

from zhihu_server.model.answers import Question
from zhihu_server.model.references import Reference
from zhihu_server.official.api import MAX_ANSWERS
from zhihu_server.reading.common import Kept, Source, Sources, cursor_at, start_of
from zhihu_server.texts import tr

AnswerSort = Literal["default", "updated"]

_SECONDS = 600.0
#: Answers load while scrolling, so that later ones take long.
MOST_ANSWERS = 60
_DETAIL_CHARS = 1000


class QuestionReader:
    """Answers the tool for questions."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def get(
        self,
        question: str,
        answers: int,
        sort: AnswerSort,
        max_chars: int,
        cursor: str,
        source: Source,
        verbose: bool,
        account: str,
    ) -> Question:
        """Return a question and some of its answers. Raises ServiceError."""
        reference = self._sources.references.question(question)
        sources = self._sources
        kind = f"question {reference.id} {sort}"
        by_api = f"{kind} official"
        # The page counts answers and the API has its own offsets, so a cursor stays with the one that began.
        if cursor and source == "auto":
            source = "official" if _is_of(by_api, cursor) else "browser"
        if source == "auto" and (sort != "default" or not answers):
            source = "browser"
        start = start_of(by_api if source == "official" else kind, cursor, 1_000_000) if cursor else 0

        async def official() -> dict[str, Any]:
            url = sources.references.url(reference)
            items, paging = await sources.official.answers(url, start, min(max(answers, 1), MAX_ANSWERS))
            return {"items": items, "paging": paging, "official": True}

        async def browser() -> Kept:
            name, end = sources.account(account), min(start + answers, MOST_ANSWERS)

            async def load() -> dict[str, Any]:
                return await self.page(name, reference, sort, end, start)

            return await sources.listed(f"{kind} {name}", start, end, _SECONDS, load)

        kept = await sources.official_first(source, f"{kind} {start} {answers}", _SECONDS, official, browser)
        if kept.data.get("official"):
            return self._official(kept, reference, by_api, start, answers, verbose, sort)
        return self._page(kept, reference, kind, start, answers, max_chars, verbose)

    async def page(self, account: str, reference: Reference, sort: str, limit: int, skip: int = 0) -> dict[str, Any]:
        """Return the raw question, its answers and whether these are all, from the page."""
        page = await self._sources.site.question(account, reference, sort, limit, skip)
        return {"question": page.question, "items": page.answers, "complete": page.complete}

    async def raw(self, account: str, reference: Reference, limit: int) -> Kept:
        """Return the raw data of a question's page, for its analysis."""
        name = self._sources.account(account)

        async def load() -> dict[str, Any]:
            return await self.page(name, reference, "default", limit)

        return await self._sources.kept("browser", f"question {reference.id} all {limit} {name}", 1800.0, load)

    def _official(
        self, kept: Kept, reference: Reference, kind: str, start: int, limit: int, verbose: bool, sort: str
    ) -> Question:
        items = self._sources.parser.official_answers(kept.data["items"], reference, verbose)[:limit]
        fitting = fit_items(items, self._sources.max_list_chars)
        paging = kept.data["paging"]
        following = number(paging.get("NextOffset"))
        ended = paging.get("IsEnd") is True
        if len(fitting) < len(items):
            following, ended = start + len(fitting), False
        answer = Question(
            **kept.frame,
            ref=reference.ref,
            answers_total=number(paging.get("Totals")),
            url=self._sources.references.url(reference),
            items=fitting,
            count=len(fitting),
            complete=ended,
            next_cursor=cursor_at(kind, following) if not ended and following is not None else None,
        )
        answer.warnings.append(
            tr("The official API has excerpts only; source=browser has title, votes and whole texts (with a login)")
        )
        if sort != "default":
            answer.warnings.append(tr("The official API has its own order; sort did nothing"))
        return answer

    def _page(
        self, kept: Kept, reference: Reference, kind: str, start: int, limit: int, max_chars: int, verbose: bool
    ) -> Question:
        parser, raw = self._sources.parser, kept.data["question"]
        items = parser.answers(kept.data["items"][start : start + limit], reference, max_chars, verbose)
        fitting = fit_items(items, self._sources.max_list_chars)
        reached = start + len(fitting)
        complete = kept.data["complete"] and reached >= len(kept.data["items"])
        go_on = bool(fitting) and not complete and reached < MOST_ANSWERS
        topics = [line(topic.get("name"), 40) for topic in raw.get("topics") or [] if isinstance(topic, dict)]
        answer = Question(
            **kept.frame,
            ref=reference.ref,
            title=line(raw.get("title"), 300),
            detail=None if start else parser.text(first(raw, "detail", "excerpt"), _DETAIL_CHARS).text or None,
            topics=[topic for topic in topics if topic] or None,
            answers_total=number(first(raw, "answerCount", "answer_count")),
            followers=number(first(raw, "followerCount", "follower_count")),
            views=number(first(raw, "visitCount", "visit_count")),
            created_at=moment(first(raw, "created", "created_time")),
            url=self._sources.references.url(reference),
            items=fitting,
            count=len(fitting),
            complete=complete,
            next_cursor=cursor_at(kind, reached) if go_on else None,
        )
        if len(items) < limit and not complete and limit:
            answer.warnings.append(tr("The page loaded fewer answers than asked for; go on with next_cursor"))
        if any(item.votes is None for item in items):
            answer.warnings.append(tr("The page shows no votes for some answers"))
        return answer


def _is_of(kind: str, cursor: str) -> bool:
    try:
        decode_cursor(kind, cursor)
    except ServiceError:
        return False
    return True
