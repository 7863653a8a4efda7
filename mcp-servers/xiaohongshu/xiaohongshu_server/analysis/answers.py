"""Defines the answer of xhs_analyze."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from xiaohongshu_server.model.schema import Answer


class SampleSize(BaseModel):
    """Counts the notes of the sample and those that were opened, and tells when they were published."""

    n: int
    n_detail: int
    first: str | None = None
    last: str | None = None
    partial: bool = False


class Spread(BaseModel):
    """Describes one count over the `n` notes that show it; `lower_bounds` is how many show only "10万+"."""

    mean: float
    median: float
    p90: int
    max: int
    n: int
    lower_bounds: int = 0


class TypeShare(BaseModel):
    """Holds the share of a format, 0 to 1, and its median likes."""

    share: float
    median_likes: float | None = None


class TopNote(BaseModel):
    """Describes a note with many likes; `lower_bounds` names the counts whose true value may be larger."""

    note_ref: str
    title: str
    likes: int | None = None
    collects: int | None = None
    lower_bounds: list[str] = []


class AuthorShare(BaseModel):
    """Describes an author's part in the sample; with `lower_bound`, the true number of likes may be larger."""

    name: str
    user_ref: str | None = None
    notes: int
    total_likes: int
    lower_bound: bool = False


class TagShare(BaseModel):
    """Holds a topic, the number of notes with it, and their median likes."""

    tag: str
    count: int
    median_likes: float | None = None


class WordShare(BaseModel):
    """Holds a word, its weight (0 to 1) and the number of texts with it."""

    word: str
    weight: float
    df: int


class TitlePatterns(BaseModel):
    """Holds the average length of titles in characters, and shares of titles, 0 to 1."""

    avg_len: float
    with_number: float
    with_emoji: float
    with_question: float


class Posting(BaseModel):
    """Counts the `n` notes with an exact time by hour (0 to 23), weekday (from Monday) and ISO week, in China's time.

    `estimated_share` is the share of the notes with a time that are left out, because their time is derived from their
    ids.
    """

    n: int
    by_hour: list[int]
    by_weekday: list[int]
    by_week: dict[str, int]
    tz: Literal["Asia/Shanghai"] = "Asia/Shanghai"
    estimated_share: float


class Analysis(Answer):
    """Holds the statistics of a sample of notes; `engagement` by likes, collects, comments and shares."""

    sample: SampleSize
    engagement: dict[str, Spread | None]
    rate_collect_per_like: float | None = None
    rate_comment_per_like: float | None = None
    types: dict[str, TypeShare]
    top_notes: list[TopNote]
    top_authors: list[AuthorShare]
    top_tags: list[TagShare]
    keywords: list[WordShare]
    title_patterns: TitlePatterns
    posting: Posting
    comment_themes: list[WordShare]
    caveats: list[str]
    fetched_at: str | None = None
