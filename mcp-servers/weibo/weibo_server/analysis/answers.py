"""Defines the answer of the analysis."""

from __future__ import annotations

from dyber_kit.analysis.figures import Counted, Posting, Spread
from dyber_kit.answer_models import Item
from pydantic import Field

from weibo_server.model.schema import Answer


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
