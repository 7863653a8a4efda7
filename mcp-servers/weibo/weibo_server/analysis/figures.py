"""Computes figures about posts. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from dyber_kit.analysis.figures import Counted, Posting, Spread, most_frequent, posting, spread
from dyber_kit.analysis.words import common_words

from weibo_server.analysis.answers import TopAuthor, TopPost
from weibo_server.model.answers import PostItem

_NUMBERS = ("likes", "reposts", "comments")
_MOST_POSTS, _MOST_AUTHORS, _MOST_NAMES = 5, 5, 20
_EXCERPT_CHARS = 80
_STOP_WORDS = frozenset("微博 网页 全文 超话".split())


def spreads(posts: Sequence[PostItem]) -> dict[str, Spread]:
    """Return how likes, reposts and comments are spread; numbers that no post has are left out."""
    named = {
        name: spread(
            (getattr(post, name) for post in posts), lower_bounds=sum(name in post.lower_bounds for post in posts)
        )
        for name in _NUMBERS
    }
    return {name: shown for name, shown in named.items() if shown}


def shares(posts: Sequence[PostItem]) -> dict[str, float]:
    """Return the shares of posts with pictures, with a video, and of those that repost another one."""
    if not posts:
        return {}
    kinds = {
        "pictures": sum(bool(post.pictures) for post in posts),
        "video": sum(bool(post.media and post.media.kind == "video") for post in posts),
        "reposts": sum(post.repost_of is not None for post in posts),
    }
    return {kind: round(count / len(posts), 2) for kind, count in kinds.items()}


def top_posts(posts: Sequence[PostItem]) -> list[TopPost]:
    """Return the posts with the most response."""
    ranked = sorted(posts, key=interactions, reverse=True)[:_MOST_POSTS]
    return [
        TopPost(
            post=post.post,
            author=post.author,
            text=post.text[:_EXCERPT_CHARS],
            likes=post.likes,
            reposts=post.reposts,
            comments=post.comments,
            lower_bounds=post.lower_bounds,
            created_at=post.created_at,
            url=post.url,
        )
        for post in ranked
    ]


def top_authors(posts: Sequence[PostItem]) -> list[TopAuthor]:
    """Return the authors with the most posts."""
    counts = Counter(post.author for post in posts if post.author)
    responses: Counter[str] = Counter()
    for post in posts:
        responses[post.author or ""] += interactions(post)
    ranked = sorted(counts, key=lambda name: (-counts[name], -responses[name], name))[:_MOST_AUTHORS]
    return [TopAuthor(name=name, posts=counts[name], interactions=responses[name]) for name in ranked]


def top_tags(posts: Sequence[PostItem]) -> list[Counted]:
    """Return the topics of most posts."""
    return most_frequent((tag for post in posts for tag in post.tags), _MOST_NAMES)


def top_words(texts: Sequence[str], leave_out: str) -> list[Counted]:
    """Return the words that most texts have, each text counted once, without those of `leave_out`."""
    return common_words(texts, _MOST_NAMES, leave_out=[leave_out], stop_words=_STOP_WORDS)


def times(posts: Sequence[PostItem]) -> Posting:
    """Return when the posts were written."""
    return posting(datetime.fromisoformat(post.created_at) for post in posts if post.created_at)


def interactions(post: PostItem) -> int:
    """Return the sum of the numbers of a post that are known."""
    return sum(getattr(post, name) or 0 for name in _NUMBERS)
