"""Gathers the notes for xhs_analyze, at the pace of the site's queue and within the call's deadline."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.times import SHANGHAI, stamp

from xiaohongshu_server.analysis.answers import Analysis
from xiaohongshu_server.analysis.statistics import SampleNote, analyze
from xiaohongshu_server.model.answers import Author, Note, NoteSummary
from xiaohongshu_server.model.arguments import search_words
from xiaohongshu_server.model.filters import SearchFilters
from xiaohongshu_server.reading.site import Site
from xiaohongshu_server.texts import tr, tr_lazy

_MAX_LISTED = 10
_COMMENTS_PER_NOTE = 10
# Time that one more note may take: the wait for a turn, the page and its comments.
_NOTE_SECONDS = 30.0
#: Failures that concern one note only, so that the next note can be read.
_SINGLE_NOTE_CODES = (ErrorCode.NOT_FOUND, ErrorCode.ACCESS_RESTRICTED, ErrorCode.TIMEOUT, ErrorCode.BUSY)

Report = Callable[[float, float | None, str | None], Awaitable[None]]


class Sampler:
    """Analyses the notes of a search, of a user, or of a list.

    Args:
        site: Reads the notes.
        max_seconds: Deadline of one call; notes that cannot be read before it are not opened.
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
        """Return the analysis of a search (`keyword`), a user's notes (`user`) or the listed `notes`.

        Raises:
            ServiceError: INVALID_ARGUMENT unless exactly one of them is given; or the reason why the sample cannot be
                read. A note that cannot be opened only makes the sample partial.
        """
        keyword = search_words("keyword", keyword, empty=True)
        user, listed = user.strip(), notes.replace(",", " ").replace("，", " ").split()
        if sum(map(bool, (keyword, user, listed))) != 1:
            raise ServiceError(
                ErrorCode.INVALID_ARGUMENT,
                tr_lazy("Exactly one of keyword, user and notes has to be given"),
                tr_lazy("Choose one: words to search for, a user, or a list of notes"),
            )
        give_up = time.monotonic() + self._max_seconds - _NOTE_SECONDS
        await report(0, detail_sample + 1, tr("Reading the sample"))
        if len(listed) > _MAX_LISTED:
            raise ServiceError(
                ErrorCode.INVALID_ARGUMENT,
                tr_lazy("notes has {count} entries", count=len(listed)),
                tr_lazy("Give at most {limit}", limit=_MAX_LISTED),
            )
        if listed:
            chosen, complete = [SampleNote(note_ref=note, title="", type="image", author="") for note in listed], True
            detail_sample = len(listed)
        elif keyword:
            result = await self._site.search(keyword, SearchFilters(), sample, account=account)
            chosen, complete = [_summary(item) for item in result.items], result.complete
        else:
            profile = await self._site.user(user, sample, account)
            owner = Author(name=profile.name, user_ref=profile.user_ref)
            chosen = [_summary(item, owner) for item in profile.notes]
            complete = profile.notes_complete
        opened: list[SampleNote] = []
        for number, note in enumerate(chosen[:detail_sample], 1):
            if time.monotonic() > give_up:
                break
            planned = min(detail_sample, len(chosen))
            progress = tr("Opening note {number} of {count}", number=number, count=planned)
            await report(number, detail_sample + 1, progress)
            if detail := await self._open(note.note_ref, account, required=len(listed) == 1):
                opened.append(detail if listed else replace(detail, note_ref=note.note_ref))
        by_ref = {note.note_ref: note for note in opened}
        gathered = opened if listed else [by_ref.get(note.note_ref, note) for note in chosen]
        partial = len(opened) < min(detail_sample, len(chosen)) or (len(chosen) < sample and not complete)
        analysis = analyze(gathered, keyword, ranked=bool(keyword), partial=partial)
        analysis.fetched_at = stamp()
        return analysis

    async def _open(self, note_ref: str, account: str, required: bool) -> SampleNote | None:
        try:
            note = await self._site.note(note_ref, _COMMENTS_PER_NOTE, account=account)
        except ServiceError as error:
            if required or error.whole_account or error.code not in _SINGLE_NOTE_CODES:
                raise
            return None
        return _detail(note)


def _summary(item: NoteSummary, author: Author | None = None) -> SampleNote:
    """Return a listed note for the sample; `author` wrote all notes of the list."""
    created = datetime.fromisoformat(item.date).replace(tzinfo=SHANGHAI) if item.date else None
    return SampleNote(
        note_ref=item.note_ref,
        title=item.title,
        type=item.type,
        author=author.name if author else item.author or "",
        author_ref=author.user_ref if author else item.user_ref,
        likes=item.likes,
        collects=item.collects,
        comments=item.comments,
        shares=item.shares,
        lower_bounds=tuple(item.lower_bounds),
        published_at=created,
        time_estimated=created is not None,
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
        published_at=datetime.fromisoformat(note.published_at) if note.published_at else None,
        opened=True,
        text=note.content,
        tags=tuple(note.tags),
        comment_texts=tuple(comment.content for comment in note.comments),
    )
