"""What xhs_analyze returns."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from xiaohongshu_server.model.schema import Answer


class SampleSize(BaseModel):
    """Notes in the sample, how many of them were opened, and from when to when they were published."""

    n: int
    n_detail: int
    first: str | None = None
    last: str | None = None
    partial: bool = False


class Spread(BaseModel):
    """How one count is spread over the `n` notes that show it; `lower_bounds` of them show "10万+": it is at least
    this."""

    mean: float
    median: float
    p90: int
    max: int
    n: int
    lower_bounds: int = 0


class TypeShare(BaseModel):
    """Share of a format, 0 to 1, and its median likes."""

    share: float
    median_likes: float | None = None


class TopNote(BaseModel):
    """A note with many likes; `lower_bounds` names the counts that are at least this."""

    note_ref: str
    title: str
    likes: int | None = None
    collects: int | None = None
    lower_bounds: list[str] = []


class AuthorShare(BaseModel):
    """An author's part in the sample; `lower_bound`: the likes are at least this."""

    name: str
    user_ref: str | None = None
    notes: int
    total_likes: int
    lower_bound: bool = False


class TagShare(BaseModel):
    """A topic, in how many notes, and their median likes."""

    tag: str
    count: int
    median_likes: float | None = None


class WordShare(BaseModel):
    """A word, its weight (0 to 1) and in how many texts it is."""

    word: str
    weight: float
    df: int


class TitlePatterns(BaseModel):
    """Average length of titles in characters, and shares of titles, 0 to 1."""

    avg_len: float
    with_number: float
    with_emoji: float
    with_question: float


class Posting(BaseModel):
    """When the `n` notes whose time the site tells were published, in China's time: hours 0 to 23, Monday to Sunday,
    ISO weeks. `estimated_share` of all notes with a time are left out, as theirs is derived from their ids."""

    n: int
    by_hour: list[int]
    by_weekday: list[int]
    by_week: dict[str, int]
    tz: Literal["Asia/Shanghai"] = "Asia/Shanghai"
    estimated_share: float


class Analysis(Answer):
    """What a sample of notes tells; `engagement` by likes, collects, comments and shares."""

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
