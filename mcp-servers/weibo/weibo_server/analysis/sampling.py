"""Reads a sample of posts, and computes the figures about it."""

from __future__ import annotations

from dyber_kit import ErrorCode, ServiceError

from weibo_server.analysis import figures
from weibo_server.analysis.answers import Analysis
from weibo_server.model.answers import PostItem, PostList
from weibo_server.model.references import UserReference
from weibo_server.reading.lists import ListReader
from weibo_server.texts import tr, tr_lazy


class Sampler:
    """Analyses posts.

    Args:
        lists: Reads the posts.
    """

    def __init__(self, lists: ListReader) -> None:
        self._lists = lists

    async def analyze(
        self, keyword: str, user: str, reference: UserReference | None, sample: int, account: str = ""
    ) -> Analysis:
        """Return figures about up to `sample` posts of a search, or of a user.

        Args:
            keyword: What to search for; empty for the posts of a user.
            user: The user as the caller named it.
            reference: The user; None without one.
            sample: Most posts.
            account: The account that reads.

        Raises:
            ServiceError: INVALID_ARGUMENT unless exactly one of keyword and user is given; or the refusal.
        """
        keyword = keyword.strip()
        if bool(keyword) == bool(user.strip()):
            raise ServiceError(
                ErrorCode.INVALID_ARGUMENT,
                tr_lazy("Pass either keyword or user"),
                tr_lazy("Leave the other one empty"),
                fields=["keyword", "user"],
            )
        if reference is None:
            read = await self._lists.search(keyword, "general", sample, "", True, account)
        else:
            read = await self._lists.user_posts(reference, sample, "", True, account)
        return _analysis(read, keyword, sample)


def _analysis(read: PostList, keyword: str, sample: int) -> Analysis:
    posts = read.items
    times = sorted(post.created_at for post in posts if post.created_at)
    return Analysis(
        n=len(posts),
        first=times[0] if times else None,
        last=times[-1] if times else None,
        engagement=figures.spreads(posts),
        shares=figures.shares(posts),
        top_posts=figures.top_posts(posts),
        top_authors=figures.top_authors(posts) if keyword else [],
        top_tags=figures.top_tags(posts),
        words=figures.top_words([_words_of(post) for post in posts], keyword),
        posting=figures.times(posts),
        caveats=_caveats(read, keyword, sample),
        warnings=read.warnings,
        source=read.source,
        fetched_at=read.fetched_at,
    )


def _words_of(post: PostItem) -> str:
    return f"{post.text} {post.repost_of.text}" if post.repost_of else post.text


def _caveats(read: PostList, keyword: str, sample: int) -> list[str]:
    caveats = [tr("These are figures about {count} posts, and not about all of Weibo", count=read.count)]
    if read.count < sample and not read.complete:
        caveats.append(tr("Fewer posts than wanted could be read in this call"))
    if keyword:
        caveats.append(tr("Weibo chose and ordered the search results; popular posts are more frequent among them"))
    if any(post.truncated for post in read.items):
        caveats.append(tr("Of long posts, only the beginning counts for words and topics"))
    if any(post.lower_bounds for post in read.items):
        caveats.append(tr("Numbers in lower_bounds are at least as large as stated"))
    return caveats
