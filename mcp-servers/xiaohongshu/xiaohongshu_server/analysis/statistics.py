"""Computes statistics of a sample of notes: engagement, formats, authors, tags, words, times. Pure functions."""

from __future__ import annotations

import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dyber_kit.times import SHANGHAI

from xiaohongshu_server.analysis.answers import (
    Analysis,
    AuthorShare,
    Posting,
    SampleSize,
    Spread,
    TagShare,
    TopNote,
    TypeShare,
    WordShare,
)
from xiaohongshu_server.analysis.keywords import keywords
from xiaohongshu_server.model.times import china_day
from xiaohongshu_server.texts import tr

_TOP_NOTES, _TOP_AUTHORS, _TOP_TAGS, _TOP_WORDS, _TOP_THEMES = 10, 5, 15, 20, 10
_COUNTS = ("likes", "collects", "comments", "shares")
_TAG_IN_TEXT = re.compile(r"#([^#\[\]\s]+)(?:\[话题\]#)?")
_SMALL_SAMPLE = 10


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
            first=china_day(times[0]) if times else None,
            last=china_day(times[-1]) if times else None,
            partial=partial or None,
        ),
        engagement={name: spread for name in _COUNTS if (spread := _spread(notes, name))},
        rate_collect_per_like=_rate(notes, "collects"),
        rate_comment_per_like=_rate(notes, "comments"),
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
    known = sorted(value for note in notes if (value := getattr(note, name)) is not None)
    if not known:
        return None
    return Spread(
        median=statistics.median(known),
        p90=_percentile(known, 0.9),
        max=known[-1],
        n=len(known),
        lower_bounds=sum(name in note.lower_bounds for note in notes),
    )


def _percentile(ordered: Sequence[int], share: float) -> int:
    """Return the percentile by nearest rank: the smallest value that at least `share` of the values do not exceed."""
    rank = -int(-share * len(ordered) // 1)
    return ordered[max(rank, 1) - 1]


def _rate(notes: Sequence[SampleNote], name: str) -> float | None:
    pairs = [
        (value, note.likes) for note in notes if (value := getattr(note, name)) is not None and note.likes is not None
    ]
    likes = sum(like for _, like in pairs)
    return round(sum(value for value, _ in pairs) / likes, 3) if likes else None


def _types(notes: Sequence[SampleNote]) -> dict[str, TypeShare]:
    shares = {}
    for kind in ("image", "video"):
        likes = [note.likes for note in notes if note.type == kind and note.likes is not None]
        count = sum(note.type == kind for note in notes)
        shares[kind] = TypeShare(
            share=round(count / len(notes), 3) if notes else 0.0,
            median_likes=statistics.median(likes) if likes else None,
        )
    return shares


def _authors(notes: Sequence[SampleNote]) -> list[AuthorShare]:
    # Several people can have the same name, and most masked names are equal.
    by_author: dict[str, list[SampleNote]] = defaultdict(list)
    for note in notes:
        if author := _person(note):
            by_author[author].append(note)
    shares = [
        AuthorShare(
            name=notes_of_author[0].author,
            user_ref=notes_of_author[0].author_ref,
            notes=len(notes_of_author),
            total_likes=sum(note.likes or 0 for note in notes_of_author),
            lower_bound=any("likes" in note.lower_bounds for note in notes_of_author) or None,
        )
        for notes_of_author in by_author.values()
    ]
    return sorted(shares, key=lambda share: (-share.total_likes, -share.notes, share.name))[:_TOP_AUTHORS]


def _person(note: SampleNote) -> str:
    return note.author_ref.partition(":")[0] if note.author_ref else note.author


def _tags(notes: Sequence[SampleNote]) -> list[TagShare]:
    by_tag: dict[str, list[SampleNote]] = defaultdict(list)
    for note in notes:
        for tag in dict.fromkeys([*note.tags, *_TAG_IN_TEXT.findall(note.text)]):
            by_tag[tag].append(note)
    shares = []
    for tag, tagged in by_tag.items():
        likes = [note.likes for note in tagged if note.likes is not None]
        shares.append(TagShare(tag=tag, count=len(tagged), median_likes=statistics.median(likes) if likes else None))
    return sorted(shares, key=lambda share: (-share.count, -(share.median_likes or 0), share.tag))[:_TOP_TAGS]


def _words(texts: Sequence[str], most: int, query: str) -> list[WordShare]:
    without_tags = [_TAG_IN_TEXT.sub(" ", text) for text in texts]
    ranked = keywords(without_tags, most, leave_out=query.split())
    return [WordShare(word=entry.word, weight=entry.weight, df=entry.df) for entry in ranked]


def _posting(notes: Sequence[SampleNote]) -> Posting:
    dated = [note for note in notes if note.published_at]
    # A time that is derived from an id shows when a draft was begun, and not when it was posted.
    local = [note.published_at.astimezone(SHANGHAI) for note in dated if note.published_at and not note.time_estimated]
    hours, days = Counter(time.hour for time in local), Counter(time.weekday() for time in local)
    return Posting(
        n=len(local),
        by_hour=[hours[hour] for hour in range(24)],
        by_weekday=[days[day] for day in range(7)],
        n_estimated=len(dated) - len(local),
    )


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
