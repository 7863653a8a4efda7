"""Computes statistics of videos that a search found or a user made."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from statistics import median, quantiles

from dyber_kit import ErrorCode, ServiceError

from bilibili_server.model.analysis import Analysis, Figures, TopAuthor, TopTag, TopVideo
from bilibili_server.model.answers import Video
from bilibili_server.reading.parse import seconds
from bilibili_server.reading.site import Order, Site
from bilibili_server.texts import tr, tr_lazy

#: Most videos of a sample; the site has fewer on one page.
MOST_SAMPLED = 50
_COUNTS = ("views", "danmaku", "likes", "comments", "favorites")
_TOP = 10
_WEEKDAYS = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")


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
        durations = [value for video in videos if (value := seconds(video.duration)) is not None]
        weekdays = Counter(_WEEKDAYS[time.weekday()] for time in times)
        hours = Counter(time.hour for time in times)
        return Analysis(
            subject=subject,
            n=len(videos),
            total=total,
            first=times[0].date().isoformat() if times else None,
            last=times[-1].date().isoformat() if times else None,
            figures={name: figures for name in _COUNTS if (figures := figures_of(videos, name))},
            median_seconds=median(durations) if durations else None,
            top_videos=top_videos(videos),
            top_authors=top_authors(videos),
            top_tags=top_tags(videos),
            by_weekday={day: weekdays[day] for day in _WEEKDAYS if weekdays[day]},
            by_hour={str(hour): hours[hour] for hour in sorted(hours)},
            caveats=_caveats(videos, total, len(times), by_keyword=bool(keyword.strip()), order=order),
            source=source,
            fetched_at=fetched_at,
        )


def figures_of(videos: Sequence[Video], name: str) -> Figures | None:
    """Return the figures of a count; None when no video has it."""
    values = [value for video in videos if (value := getattr(video, name)) is not None]
    if not values:
        return None
    p90 = quantiles(values, n=10, method="inclusive")[-1] if len(values) > 1 else values[0]
    return Figures(n=len(values), median=median(values), p90=round(p90, 1), max=max(values))


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
    by_author: dict[tuple[str, str | None], list[Video]] = defaultdict(list)
    for video in videos:
        if video.author:
            by_author[video.author, video.mid].append(video)
    authors = [
        TopAuthor(name=name, mid=mid, videos=len(made), views=sum(video.views or 0 for video in made))
        for (name, mid), made in by_author.items()
        if len(made) > 1
    ]
    return sorted(authors, key=lambda author: (-author.videos, -author.views))[:_TOP]


def top_tags(videos: Sequence[Video]) -> list[TopTag]:
    """Return the tags that more than one of the videos have, the most frequent first."""
    by_tag: dict[str, list[Video]] = defaultdict(list)
    for video in videos:
        for tag in dict.fromkeys(video.tags):
            by_tag[tag].append(video)
    tags = [
        TopTag(
            tag=tag,
            videos=len(having),
            median_views=median(views)
            if (views := [video.views for video in having if video.views is not None])
            else None,
        )
        for tag, having in by_tag.items()
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
