"""Defines the answer of the analysis."""

from __future__ import annotations

from dyber_kit.analysis.figures import Posting, Spread
from dyber_kit.answer_models import Item

from douyin_server.model.schema import Answer


class TopVideo(Item):
    """Names one of the videos with the most likes."""

    video_id: str
    text: str
    likes: int
    comments: int | None = None


class AuthorShare(Item):
    """Holds the part that one author has in the sample."""

    name: str
    user_ref: str | None = None
    videos: int
    likes: int


class TagShare(Item):
    """Holds how often a hashtag is used, and the median of the likes of the videos with it."""

    tag: str
    videos: int
    median_likes: float | None = None


class Analysis(Answer):
    """Holds statistics of a sample of videos; `caveats` says what they do not show."""

    n: int
    first: str | None = None
    last: str | None = None
    engagement: dict[str, Spread]
    collects_per_like: float | None = None
    comments_per_like: float | None = None
    types: dict[str, int]
    median_seconds: float | None = None
    top_videos: list[TopVideo]
    top_authors: list[AuthorShare]
    top_tags: list[TagShare]
    posting: Posting
    caveats: list[str]
