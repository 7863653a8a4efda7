"""Defines the answer of the analysis."""

from __future__ import annotations

from pydantic import Field

from weibo_server.model.schema import Answer, Item


class Spread(Item):
    """Describes how one number is spread over the sample; `n` is how many posts have it."""

    n: int
    median: float
    p90: float
    max: int


class TopPost(Item):
    """Names a post with much response."""

    post: str
    author: str | None = None
    text: str
    likes: int | None = None
    reposts: int | None = None
    comments: int | None = None
    lower_bounds: list[str] = Field(default_factory=list)
    created_at: str | None = None
    url: str | None = None


class TopAuthor(Item):
    """Describes an author of several posts of the sample."""

    name: str
    posts: int
    interactions: int


class Counted(Item):
    """Counts the posts with a topic or a word."""

    name: str
    count: int


class Posting(Item):
    """Says when the posts were written, in China's time; `n` posts have a time."""

    n: int
    by_hour: dict[str, int]
    by_weekday: dict[str, int]


class Analysis(Answer):
    """Holds figures about a sample of posts."""

    n: int
    first: str | None = None
    last: str | None = None
    engagement: dict[str, Spread]
    shares: dict[str, float]
    top_posts: list[TopPost]
    top_authors: list[TopAuthor]
    top_tags: list[Counted]
    words: list[Counted]
    posting: Posting
    caveats: list[str]
