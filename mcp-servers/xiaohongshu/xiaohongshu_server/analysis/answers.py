"""Defines the answer of xhs_analyze."""

from __future__ import annotations

from dyber_kit.analysis import figures
from dyber_kit.analysis.figures import Spread
from dyber_kit.answer_models import Answer, Item


class SampleSize(Item):
    """Counts the notes of the sample and those that were opened, and tells when they were published."""

    n: int
    n_detail: int
    first: str | None = None
    last: str | None = None
    partial: bool | None = None


class TypeShare(Item):
    """Holds the share of a format, 0 to 1, and its median likes."""

    share: float
    median_likes: float | None = None


class TopNote(Item):
    """Describes a note with many likes; `lower_bounds` names the counts whose true value may be larger."""

    note_ref: str
    title: str
    likes: int | None = None
    collects: int | None = None
    lower_bounds: list[str]


class AuthorShare(Item):
    """Describes an author's part in the sample; with `lower_bound`, the true number of likes may be larger."""

    name: str
    user_ref: str | None = None
    notes: int
    total_likes: int
    lower_bound: bool | None = None


class TagShare(Item):
    """Holds a topic, the number of notes with it, and their median likes."""

    tag: str
    count: int
    median_likes: float | None = None


class WordShare(Item):
    """Holds a word, its weight (0 to 1) and the number of texts with it."""

    word: str
    weight: float
    df: int


class Posting(figures.Posting):
    """Counts the notes with an exact time; `n_estimated` is the number of those whose time is derived from their ids."""

    n_estimated: int


class Analysis(Answer):
    """Holds the statistics of a sample of notes; `engagement` by those of likes, collects, comments, shares shown."""

    sample: SampleSize
    engagement: dict[str, Spread]
    rate_collect_per_like: float | None = None
    rate_comment_per_like: float | None = None
    types: dict[str, TypeShare]
    top_notes: list[TopNote]
    top_authors: list[AuthorShare]
    top_tags: list[TagShare]
    keywords: list[WordShare]
    posting: Posting
    comment_themes: list[WordShare]
    caveats: list[str]
    fetched_at: str | None = None
