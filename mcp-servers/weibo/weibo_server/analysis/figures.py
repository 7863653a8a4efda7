"""Computes figures about posts. Pure functions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from statistics import median

from weibo_server.analysis.answers import Counted, Posting, Spread, TopAuthor, TopPost
from weibo_server.model.answers import PostItem

_NUMBERS = ("likes", "reposts", "comments")
_WEEKDAYS = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")
_MOST_POSTS, _MOST_AUTHORS, _MOST_NAMES = 5, 5, 20
_EXCERPT_CHARS = 80
# Nouns and names, verbs used as nouns, adjectives, idioms, Latin words: the words that carry the content.
_KEPT_TAGS = ("n", "vn", "an", "a", "i", "l", "j", "eng")
_STOP_WORDS = frozenset(
    """一个 没有 我们 你们 他们 自己 这个 那个 什么 怎么 可以 真的 感觉 时候 东西 大家 朋友 今天 最近 现在 时间 问题
    情况 地方 视频 图片 微博 转发 评论 点赞 关注 网页 链接 全文 超话 还是 不是 就是 觉得 非常 特别 哈哈 哈哈哈 谢谢
    一起 已经 因为 所以 但是""".split()
)
_NOISE = re.compile(r"https?://\S+|\[[^\[\]\s]{1,8}\]|@[\w\u00b7-]+")
_WORD = re.compile(r"[\u4e00-\u9fff]{2,8}|[A-Za-z][A-Za-z0-9+.-]{1,20}")


def spreads(posts: Sequence[PostItem]) -> dict[str, Spread]:
    """Return how likes, reposts and comments are spread; numbers that no post has are left out."""
    found = {}
    for name in _NUMBERS:
        values = sorted(value for post in posts if (value := getattr(post, name)) is not None)
        if values:
            p90 = values[min(len(values) - 1, round(0.9 * (len(values) - 1)))]
            found[name] = Spread(n=len(values), median=median(values), p90=p90, max=values[-1])
    return found


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


def counted(names: Iterable[str], least: int = 1) -> list[Counted]:
    """Return the most frequent names."""
    ranked = sorted(Counter(names).items(), key=lambda entry: (-entry[1], entry[0]))
    return [Counted(name=name, count=count) for name, count in ranked[:_MOST_NAMES] if count >= least]


def common_words(texts: Sequence[str], leave_out: str) -> list[Counted]:
    """Return the words that several texts have, each text counted once, without those of `leave_out`."""
    excluded = {word.casefold() for word in [leave_out, *_words(leave_out)]}
    per_text = [{word for word in _words(text) if word.casefold() not in excluded} for text in texts]
    return counted((word for words in per_text for word in words), least=2)


def posting(posts: Sequence[PostItem]) -> Posting:
    """Return when the posts were written."""
    times = [datetime.fromisoformat(post.created_at) for post in posts if post.created_at]
    hours = Counter(time.hour for time in times)
    weekdays = Counter(_WEEKDAYS[time.weekday()] for time in times)
    return Posting(
        n=len(times),
        by_hour={str(hour): hours[hour] for hour in sorted(hours)},
        by_weekday={day: weekdays[day] for day in _WEEKDAYS if weekdays[day]},
    )


def interactions(post: PostItem) -> int:
    """Return the sum of the numbers of a post that are known."""
    return sum(getattr(post, name) or 0 for name in _NUMBERS)


def _words(text: str) -> list[str]:
    # The dictionary costs about 41 MiB, so it is loaded with the first analysis.
    import rjieba

    tagged = rjieba.tag(_NOISE.sub(" ", text))
    return [
        word
        for word, tag in tagged
        if tag.startswith(_KEPT_TAGS) and _WORD.fullmatch(word) and word.casefold() not in _STOP_WORDS
    ]
