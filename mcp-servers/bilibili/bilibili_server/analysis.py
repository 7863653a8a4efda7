"""Computes statistics of videos that a search found or a user made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.analysis.figures import Spread, grouped, median_of, posting, spread
from dyber_kit.times import local_day

from bilibili_server.model.analysis import Analysis, TopAuthor, TopTag, TopVideo
from bilibili_server.model.answers import Video
from bilibili_server.reading.parse import seconds
from bilibili_server.reading.site import Order, Site
from bilibili_server.texts import tr, tr_lazy

#: Most videos of a sample; the site has fewer on one page.
MOST_SAMPLED = 50
_COUNTS = ("views", "danmaku", "likes", "comments", "favorites")
_TOP = 10


class Analyzer:
    """Answers the tool for analyses, from one page of the site."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def analyze(self, keyword: str, user: str, order: Order, sample: int, account: str = "") -> Analysis:
        """Return statistics of the videos that a search found, or of a user's newest videos.

        Raises:
            ServiceError: INVALID_ARGUMENT unless exactly one of `keyword` and `user` is given; otherwise the reason why
                the page cannot be read.
        """
        if bool(keyword.strip()) == bool(user.strip()):
            raise ServiceError(
                ErrorCode.INVALID_ARGUMENT,
                tr_lazy("Give exactly one of keyword and user"),
                fields=["keyword", "user"],
            )
        if keyword.strip():
            result = await self._site.search(keyword, "video", order, sample, "", True, account)
            subject, videos, total = keyword.strip(), list[Video](result.items), result.total
            source, fetched_at = result.source, result.fetched_at
        else:
            profile = await self._site.user(user, sample, "", True, account)
            subject, videos, total = profile.name, profile.videos, profile.videos_total
            source, fetched_at = profile.source, profile.fetched_at
        times = sorted(datetime.fromisoformat(video.date) for video in videos if video.date)
        posted = posting(times)
        return Analysis(
            subject=subject,
            n=len(videos),
            total=total,
            first=local_day(times[0]) if times else None,
            last=local_day(times[-1]) if times else None,
            figures={name: figures for name in _COUNTS if (figures := figures_of(videos, name))},
            median_seconds=median_of(seconds(video.duration) for video in videos),
            top_videos=top_videos(videos),
            top_authors=top_authors(videos),
            top_tags=top_tags(videos),
            by_weekday=posted.by_weekday,
            by_hour=posted.by_hour,
            caveats=_caveats(videos, total, len(times), by_keyword=bool(keyword.strip()), order=order),
            source=source,
            fetched_at=fetched_at,
        )


def figures_of(videos: Sequence[Video], name: str) -> Spread | None:
    """Return the figures of a count; None when no video has it."""
    return spread(getattr(video, name) for video in videos)


def top_videos(videos: Sequence[Video]) -> list[TopVideo]:
    """Return the videos with the most views."""
    counted = [video for video in videos if video.views is not None and video.bvid]
    counted.sort(key=lambda video: -(video.views or 0))
    return [
        TopVideo(
            bvid=video.bvid or "", title=video.title or "", views=video.views or 0, date=(video.date or "")[:10] or None
        )
        for video in counted[:_TOP]
    ]


def top_authors(videos: Sequence[Video]) -> list[TopAuthor]:
    """Return the users with more than one of the videos, those with the most first."""
    by_author = grouped(videos, lambda video: [video.mid or video.author if video.author else None])
    authors = [
        TopAuthor(
            name=made[0].author or "",
            mid=made[0].mid,
            videos=len(made),
            views=sum(video.views or 0 for video in made),
        )
        for made in by_author.values()
        if len(made) > 1
    ]
    return sorted(authors, key=lambda author: (-author.videos, -author.views))[:_TOP]


def top_tags(videos: Sequence[Video]) -> list[TopTag]:
    """Return the tags that more than one of the videos have, the most frequent first."""
    tags = [
        TopTag(tag=tag, videos=len(having), median_views=median_of(video.views for video in having))
        for tag, having in grouped(videos, lambda video: video.tags).items()
        if len(having) > 1
    ]
    return sorted(tags, key=lambda entry: (-entry.videos, entry.tag))[:_TOP]


def _caveats(videos: Sequence[Video], total: int | None, dated: int, *, by_keyword: bool, order: Order) -> list[str]:
    caveats = []
    if not videos:
        caveats.append(tr("There are no videos to count"))
    elif total is None or len(videos) < total:
        shown = tr("more") if total is None else total
        caveats.append(
            tr("Only {n} of {total} videos were counted; the figures are theirs", n=len(videos), total=shown)
        )
    if videos and by_keyword:
        caveats.append(tr("The sample is what Bilibili's search shows first in the order {order}", order=order))
    if dated < len(videos):
        caveats.append(tr("{count} videos without a time are missing in the times", count=len(videos) - dated))
    if videos and not by_keyword:
        caveats.append(tr("A user's list has no likes, favourites and tags"))
    return caveats
