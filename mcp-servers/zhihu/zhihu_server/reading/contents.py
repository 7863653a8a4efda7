"""Reads answers and articles with their comments, from their pages."""

from __future__ import annotations

from typing import Any

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.calling.cursors import fit_items
from dyber_kit.times import stamp
from dyber_kit.upstream.values import as_object, first, line, moment, number

from zhihu_server.model.answers import Comments, Content
from zhihu_server.model.references import Reference
from zhihu_server.reading.common import Kept, Sources, cursor_at, start_of
from zhihu_server.texts import tr

_SECONDS = 600.0
#: Comments load while scrolling, so that later ones take long.
MOST_COMMENTS = 100
_LONGEST_TEXT = 1_000_000


class ContentReader:
    """Answers the tools for answers, articles and comments."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def get(self, content: str, comments: int, max_chars: int, cursor: str, account: str) -> Content:
        """Return an answer or article, from `cursor` on, and some of its comments. Raises ServiceError."""
        reference = self._sources.references.content(content)
        start = start_of(f"text {reference.ref}", cursor, _LONGEST_TEXT)
        # What follows was read together with the beginning, so that no page has to be opened for it.
        kept, refusal = await self._page(reference, account, 0, 0 if start else comments, part=bool(start))
        raw = kept.data["item"]
        parser = self._sources.parser
        text = parser.text(raw["content"]).text
        end = start + max_chars
        name, author_ref, headline = parser.author(raw)
        question = as_object(raw.get("question"))
        asked = str(question.get("id") or reference.question)
        reference = Reference(reference.kind, reference.id, asked if reference.kind == "answer" else "")
        frame = kept.frame
        frame["warnings"] += _cautions(raw, text)
        answer = Content(
            **frame,
            ref=reference.ref,
            title=line(first(raw, "title") or first(question, "title", "name"), 300),
            question_ref=f"question:{reference.question}" if reference.question else None,
            author=name,
            author_ref=author_ref,
            headline=headline,
            text=text[start:end],
            start=start,
            chars_total=len(text),
            images=str(raw["content"]).count("<figure") or None,
            votes=number(first(raw, "voteupCount", "voteup_count")),
            comments_total=number(first(raw, "commentCount", "comment_count")),
            favorites=number(first(raw, "favlistsCount", "favlists_count")),
            created_at=moment(first(raw, "createdTime", "created_time", "created")),
            updated_at=moment(first(raw, "updatedTime", "updated_time", "updated")),
            location=parser.place(first(raw, "ipInfo", "ip_info")),
            url=self._sources.references.url(reference),
            next_cursor=cursor_at(f"text {reference.ref}", end) if end < len(text) else None,
        )
        if not start and comments:
            items = parser.comments(kept.data["items"][:comments])
            answer.comments = fit_items(items, self._sources.max_list_chars - max_chars)
            answer.warnings += _missing(kept, refusal)
        return answer

    async def comments(self, content: str, limit: int, cursor: str, account: str) -> Comments:
        """Return comments of an answer or article, in the site's order. Raises ServiceError."""
        reference = self._sources.references.content(content)
        kind = f"comments {reference.ref}"
        start = start_of(kind, cursor, MOST_COMMENTS)
        kept, refusal = await self._page(reference, account, start, min(start + limit, MOST_COMMENTS))
        if not kept.data["complete"] and len(kept.data["items"]) <= start:
            raise refusal or ServiceError(ErrorCode.UPSTREAM_CHANGED)
        raw = kept.data["item"]
        question = as_object(raw.get("question"))
        items = self._sources.parser.comments(kept.data["items"][start : start + limit])
        fitting = fit_items(items, self._sources.max_list_chars)
        reached = start + len(fitting)
        complete = kept.data["complete"] and reached >= len(kept.data["items"])
        go_on = bool(fitting) and not complete and reached < MOST_COMMENTS
        frame = kept.frame
        frame["warnings"] += _missing(kept, refusal)
        return Comments(
            **frame,
            ref=reference.ref,
            title=line(first(raw, "title") or first(question, "title", "name"), 300),
            total=kept.data["total"],
            items=fitting,
            count=len(fitting),
            complete=complete,
            next_cursor=cursor_at(kind, reached) if go_on else None,
        )

    async def _page(
        self, reference: Reference, account: str, start: int, end: int, part: bool = False
    ) -> tuple[Kept, ServiceError | None]:
        """Return the raw page with the comments from `start` to before `end`, and why some of these are missing.

        A later part of a text is taken from any page that was read before. A page without some of its comments is not
        cached, except for its text.
        """
        sources, account = self._sources, self._sources.account(account)
        key = f"{reference.ref} {account}"

        async def load() -> dict[str, Any]:
            page = await sources.site.content(account, reference, end)
            listed = page.comments
            data = {"item": page.item, "items": listed.items, "complete": listed.complete, "total": listed.total}
            if page.refusal:
                raise _PartlyRead(page.refusal, data)
            return data

        refusal: ServiceError | None = None
        try:
            if part:
                return await sources.kept("browser", f"{key} text", _SECONDS, load), None
            kept = await sources.listed(key, start, end, _SECONDS, load)
        except _PartlyRead as partly:
            kept, refusal = Kept(source="browser", fetched_at=stamp(), data=partly.data), partly.refusal

        async def same() -> dict[str, Any]:
            return {**kept.data, "items": []}

        await sources.kept("browser", f"{key} text", _SECONDS, same)
        return kept, refusal


class _PartlyRead(Exception):
    """Carries a page without some of its comments past the cache."""

    def __init__(self, refusal: ServiceError, data: dict[str, Any]) -> None:
        super().__init__()
        self.refusal = refusal
        self.data = data


def _cautions(raw: dict[str, Any], text: str) -> list[str]:
    cautions = []
    if first(raw, "paidInfo", "paid_info"):
        cautions.append(tr("This is paid content, and the page shows only its beginning"))
    if not text:
        cautions.append(tr("The page has no text; it may consist of pictures or a video"))
    return cautions


def _missing(kept: Kept, refusal: ServiceError | None) -> list[str]:
    """Return a warning when comments could not be read to the number that was asked for."""
    if refusal:
        reason = tr("Not all comments could be read: {code}, {reason}", code=refusal.code, reason=refusal.message)
        return [reason]
    if kept.data["total"] and not kept.data["items"]:
        return [tr("The site counts comments but shows none; they may be folded or closed")]
    return []
