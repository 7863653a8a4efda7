"""Defines the answer of the analysis; these docstrings are for people, since agents see only names and types."""

from __future__ import annotations

from dyber_kit.analysis.figures import Spread
from dyber_kit.answer_models import Answer, Item

from bilibili_server.model.answers import Source


class TopVideo(Item):
    """Names a video with many views."""

    bvid: str
    title: str
    views: int
    date: str | None = None


class TopAuthor(Item):
    """Names a user with several videos in the sample."""

    name: str
    mid: str | None = None
    videos: int
    views: int


class TopTag(Item):
    """Names a tag that several videos have."""

    tag: str
    videos: int
    median_views: float | None = None


class Analysis(Answer):
    """Holds statistics of videos; times are those of China."""

    subject: str
    n: int
    total: int | None = None
    first: str | None = None
    last: str | None = None
    figures: dict[str, Spread]
    median_seconds: float | None = None
    top_videos: list[TopVideo]
    top_authors: list[TopAuthor]
    top_tags: list[TopTag]
    by_weekday: dict[str, int]
    by_hour: dict[str, int]
    caveats: list[str]
    source: Source
    fetched_at: str
