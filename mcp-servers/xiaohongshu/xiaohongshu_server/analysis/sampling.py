"""Gathers the notes that xhs_analyze describes, at the site's pace and within the call's time."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.times import iso_utc

from xiaohongshu_server.analysis.answers import Analysis
from xiaohongshu_server.analysis.statistics import SampleNote, analyze
from xiaohongshu_server.model.answers import Note, NoteSummary
from xiaohongshu_server.model.arguments import search_words
from xiaohongshu_server.model.filters import SearchFilters
from xiaohongshu_server.reading.site import Site

_MOST_NAMED = 10
_COMMENTS_PER_NOTE = 10
# What one more note may take: waiting for the turn, the page, its comments.
_NOTE_SECONDS = 30.0
#: Failures of one note that say nothing about the next one.
_OF_ONE_NOTE = (ErrorCode.NOT_FOUND, ErrorCode.ACCESS_RESTRICTED, ErrorCode.TIMEOUT, ErrorCode.BUSY)

Report = Callable[[float, float | None, str | None], Awaitable[None]]


class Sampler:
    """Makes samples of a search, a user or named notes.

    Args:
        site: Where notes are read.
        max_seconds: Time of one call; notes that would not be read within it are left unopened.
    """

    def __init__(self, site: Site, max_seconds: float) -> None:
        self._site = site
        self._max_seconds = max_seconds

    async def analyze(
        self,
        keyword: str,
        user: str,
        notes: str,
        sample: int,
        detail_sample: int,
        account: str,
        report: Report,
    ) -> Analysis:
        """Describe one of: a search, a user's notes, or named notes.

        Raises:
            ServiceError: INVALID_ARGUMENT unless exactly one is given; or why the sample cannot be read. A note that
                cannot be opened only makes the sample partial.
        """
        keyword = search_words("keyword", keyword, empty=True)
        user, named = user.strip(), notes.replace(",", " ").replace("，", " ").split()
        if sum(map(bool, (keyword, user, named))) != 1:
            raise ServiceError(
                ErrorCode.INVALID_ARGUMENT, "keyword、user、notes 应恰好填一个", "搜索词、用户或一组笔记，选其一"
            )
        give_up = time.monotonic() + self._max_seconds - _NOTE_SECONDS
        await report(0, detail_sample + 1, "读取样本")
        if len(named) > _MOST_NAMED:
            raise ServiceError(ErrorCode.INVALID_ARGUMENT, f"notes 有 {len(named)} 条", f"最多 {_MOST_NAMED} 条")
        if named:
            chosen, complete = [SampleNote(note_ref=note, title="", type="image", author="") for note in named], True
            detail_sample = len(named)
        elif keyword:
            found = await self._site.search(keyword, SearchFilters(), sample, account=account)
            chosen, complete = [_summary(item) for item in found.items], found.complete
        else:
            profile = await self._site.user(user, sample, account)
            chosen, complete = [_summary(item) for item in profile.notes], profile.notes_complete
        opened: list[SampleNote] = []
        for number, note in enumerate(chosen[:detail_sample], 1):
            if time.monotonic() > give_up:
                break
            await report(number, detail_sample + 1, f"打开笔记 {number}/{min(detail_sample, len(chosen))}")
            if detail := await self._open(note.note_ref, account, must=len(named) == 1):
                opened.append(detail if named else replace(detail, note_ref=note.note_ref))
        by_ref = {note.note_ref: note for note in opened}
        gathered = opened if named else [by_ref.get(note.note_ref, note) for note in chosen]
        short = len(opened) < min(detail_sample, len(chosen)) or (len(chosen) < sample and not complete)
        analysis = analyze(gathered, keyword, ranked=bool(keyword), partial=short)
        analysis.fetched_at = iso_utc(datetime.now(UTC))
        return analysis

    async def _open(self, note_ref: str, account: str, must: bool) -> SampleNote | None:
        try:
            note = await self._site.note(note_ref, _COMMENTS_PER_NOTE, account=account)
        except ServiceError as error:
            if must or error.whole_account or error.code not in _OF_ONE_NOTE:
                raise
            return None
        return _detail(note)


def _summary(item: NoteSummary) -> SampleNote:
    return SampleNote(
        note_ref=item.note_ref,
        title=item.title,
        type=item.type,
        author=item.author.name,
        author_ref=item.author.user_ref,
        likes=item.likes,
        collects=item.collects,
        comments=item.comments,
        shares=item.shares,
        lower_bounds=tuple(item.lower_bounds),
        published_at=_time(item.published_at),
        time_estimated=item.time_estimated,
    )


def _detail(note: Note) -> SampleNote:
    return SampleNote(
        note_ref=note.note_ref,
        title=note.title,
        type=note.type,
        author=note.author.name,
        author_ref=note.author.user_ref,
        likes=note.likes,
        collects=note.collects,
        comments=note.comments_total,
        shares=note.shares,
        lower_bounds=tuple(note.lower_bounds),
        published_at=_time(note.published_at),
        opened=True,
        text=note.content,
        tags=tuple(note.tags),
        comment_texts=tuple(comment.content for comment in note.comments),
    )


def _time(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None
