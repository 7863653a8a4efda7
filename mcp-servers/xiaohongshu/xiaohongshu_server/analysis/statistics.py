"""Computes statistics of a sample of notes: engagement, formats, authors, tags, words, times. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dyber_kit.analysis.figures import Spread, grouped, median_of, posting, ratio, spread
from dyber_kit.analysis.words import keywords
from dyber_kit.times import local_day

from xiaohongshu_server.analysis.answers import (
    Analysis,
    AuthorShare,
    Posting,
    SampleSize,
    TagShare,
    TopNote,
    TypeShare,
    WordShare,
)
from xiaohongshu_server.texts import tr

_TOP_NOTES, _TOP_AUTHORS, _TOP_TAGS, _TOP_WORDS, _TOP_THEMES = 10, 5, 15, 20, 10
_COUNTS = ("likes", "collects", "comments", "shares")
_TAG_IN_TEXT = re.compile(r"#([^#\[\]\s]+)(?:\[话题\]#)?")
_SMALL_SAMPLE = 10
_STOP_WORDS = frozenset("有点 姐妹 宝子 宝宝 家人 笔记 小红书 好看 好吃 好用 合集 博主 同款".split())


@dataclass(frozen=True)
class SampleNote:
    """Describes one note of the sample; when it was `opened`, text, tags and comments are from its own page.

    `author_ref` distinguishes authors of the same name, also when names are masked.
    """

    note_ref: str
    title: str
    type: str
    author: str
    author_ref: str | None = None
    likes: int | None = None
    collects: int | None = None
    comments: int | None = None
    shares: int | None = None
    lower_bounds: tuple[str, ...] = ()
    published_at: datetime | None = None
    time_estimated: bool = False
    opened: bool = False
    text: str = ""
    tags: tuple[str, ...] = ()
    comment_texts: tuple[str, ...] = field(default=())


def analyze(notes: Sequence[SampleNote], query: str = "", *, ranked: bool = False, partial: bool = False) -> Analysis:
    """Return the statistics of `notes`.

    Args:
        notes: The sample; may be empty.
        query: The keyword of the search; its words are left out of `keywords`.
        ranked: Whether the platform's ranking selected the notes.
        partial: Whether the sample has fewer notes, or fewer opened notes, than requested.
    """
    times = sorted(note.published_at for note in notes if note.published_at)
    opened = [note for note in notes if note.opened]
    themes = _words([text for note in opened for text in note.comment_texts], _TOP_THEMES, query)
    return Analysis(
        sample=SampleSize(
            n=len(notes),
            n_detail=len(opened),
            first=local_day(times[0]) if times else None,
            last=local_day(times[-1]) if times else None,
            partial=partial or None,
        ),
        engagement={name: spread for name in _COUNTS if (spread := _spread(notes, name))},
        rate_collect_per_like=ratio((note.collects, note.likes) for note in notes),
        rate_comment_per_like=ratio((note.comments, note.likes) for note in notes),
        types=_types(notes),
        top_notes=[
            TopNote(
                note_ref=note.note_ref,
                title=note.title,
                likes=note.likes,
                collects=note.collects,
                lower_bounds=[name for name in note.lower_bounds if name in ("likes", "collects")],
            )
            for note in sorted(notes, key=lambda note: -(note.likes or 0))[:_TOP_NOTES]
        ],
        top_authors=_authors(notes),
        top_tags=_tags(notes),
        keywords=_words([f"{note.title}\n{note.text}" for note in notes], _TOP_WORDS, query),
        posting=_posting(notes),
        comment_themes=themes,
        caveats=_caveats(notes, themes, ranked, partial),
    )


def _spread(notes: Sequence[SampleNote], name: str) -> Spread | None:
    return spread(
        (getattr(note, name) for note in notes), lower_bounds=sum(name in note.lower_bounds for note in notes)
    )


def _types(notes: Sequence[SampleNote]) -> dict[str, TypeShare]:
    shares = {}
    for kind in ("image", "video"):
        of_kind = [note for note in notes if note.type == kind]
        shares[kind] = TypeShare(
            share=round(len(of_kind) / len(notes), 3) if notes else 0.0,
            median_likes=median_of(note.likes for note in of_kind),
        )
    return shares


def _authors(notes: Sequence[SampleNote]) -> list[AuthorShare]:
    # Several people can have the same name, and most masked names are equal.
    shares = [
        AuthorShare(
            name=notes_of_author[0].author,
            user_ref=notes_of_author[0].author_ref,
            notes=len(notes_of_author),
            total_likes=sum(note.likes or 0 for note in notes_of_author),
            lower_bound=any("likes" in note.lower_bounds for note in notes_of_author) or None,
        )
        for notes_of_author in grouped(notes, lambda note: [_person(note)]).values()
    ]
    return sorted(shares, key=lambda share: (-share.total_likes, -share.notes, share.name))[:_TOP_AUTHORS]


def _person(note: SampleNote) -> str:
    return note.author_ref.partition(":")[0] if note.author_ref else note.author


def _tags(notes: Sequence[SampleNote]) -> list[TagShare]:
    shares = [
        TagShare(tag=tag, count=len(tagged), median_likes=median_of(note.likes for note in tagged))
        for tag, tagged in grouped(notes, lambda note: [*note.tags, *_TAG_IN_TEXT.findall(note.text)]).items()
    ]
    return sorted(shares, key=lambda share: (-share.count, -(share.median_likes or 0), share.tag))[:_TOP_TAGS]


def _words(texts: Sequence[str], most: int, query: str) -> list[WordShare]:
    without_tags = [_TAG_IN_TEXT.sub(" ", text) for text in texts]
    ranked = keywords(without_tags, most, leave_out=query.split(), stop_words=_STOP_WORDS)
    return [WordShare(word=entry.word, weight=entry.weight, df=entry.df) for entry in ranked]


def _posting(notes: Sequence[SampleNote]) -> Posting:
    dated = [note for note in notes if note.published_at]
    # A time that is derived from an id shows when a draft was begun, and not when it was posted.
    times = posting(note.published_at for note in dated if note.published_at and not note.time_estimated)
    return Posting(n=times.n, by_hour=times.by_hour, by_weekday=times.by_weekday, n_estimated=len(dated) - times.n)


def _caveats(notes: Sequence[SampleNote], themes: Sequence[WordShare], ranked: bool, partial: bool) -> list[str]:
    caveats = []
    if not notes:
        return [tr("The sample is empty; there is nothing to analyse")]
    if ranked:
        caveats.append(
            tr(
                "The sample comes from search results: the platform's ranking chose it, and it does not stand for all "
                "notes"
            )
        )
    if len(notes) < _SMALL_SAMPLE:
        caveats.append(tr("The sample has only {count} notes; take the results as hints", count=len(notes)))
    if partial:
        caveats.append(tr("Fewer notes were read or opened than requested"))
    rounded = sum(bool(note.lower_bounds) for note in notes)
    if rounded:
        caveats.append(tr("{count} notes show counts like “10万+”, which are taken as this least value", count=rounded))
    elif any((note.likes or 0) >= 10_000 for note in notes):
        caveats.append(tr("The platform rounds counts above 10,000"))
    if estimated := sum(note.time_estimated for note in notes):
        exact = sum(note.published_at is not None for note in notes) - estimated
        caveats.append(
            tr(
                "Posting times are those of the {exact} opened notes only; the dates of {estimated} more are derived "
                "from their ids and not in posting",
                exact=exact,
                estimated=estimated,
            )
        )
    opened = [note for note in notes if note.opened]
    if not opened:
        caveats.append(
            tr("No note was opened: tags and keywords come from titles only, and there are no comment themes")
        )
    elif not any(note.comment_texts for note in opened):
        caveats.append(tr("The opened notes gave no comments, so there are no comment themes"))
    elif not themes:
        caveats.append(tr("No word with content is repeated in the comments, so there are no comment themes"))
    return caveats
