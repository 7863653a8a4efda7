"""Computes statistics of a sample of videos: engagement, formats, authors, hashtags, times. Pure functions."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime

from dyber_kit.times import SHANGHAI

from douyin_server.model.analysis import Analysis, AuthorShare, Posting, Spread, TagShare, TopVideo
from douyin_server.model.answers import VideoSummary
from douyin_server.model.schema import Source
from douyin_server.texts import tr

_TOP_VIDEOS, _TOP_AUTHORS, _TOP_TAGS = 10, 5, 15
_COUNTS = ("likes", "comments", "collects", "shares")
_SHOWN_CHARS = 60
_SMALL_SAMPLE = 10


def analyze(
    videos: Sequence[VideoSummary], source: Source, fetched_at: str, *, ranked: bool, partial: bool
) -> Analysis:
    """Return the statistics of `videos`.

    Args:
        videos: The sample, with all fields; may be empty.
        source: Where the sample is from.
        fetched_at: When it was read.
        ranked: Whether the platform's ranking selected the videos; otherwise they are those of one user.
        partial: Whether the sample has fewer videos than requested, although the site may have more.
    """
    published = sorted(_local(video.published_at) for video in videos if video.published_at)
    lengths = [video.seconds for video in videos if video.seconds]
    liked = sorted((video for video in videos if video.likes is not None), key=lambda video: -(video.likes or 0))
    return Analysis(
        n=len(videos),
        first=published[0].date().isoformat() if published else None,
        last=published[-1].date().isoformat() if published else None,
        engagement={name: spread for name in _COUNTS if (spread := _spread(videos, name))},
        collects_per_like=_rate(videos, "collects"),
        comments_per_like=_rate(videos, "comments"),
        types=dict(Counter(video.type for video in videos)),
        median_seconds=statistics.median(lengths) if lengths else None,
        top_videos=[
            TopVideo(
                video_id=video.video_id, text=video.text[:_SHOWN_CHARS], likes=video.likes or 0, comments=video.comments
            )
            for video in liked[:_TOP_VIDEOS]
        ],
        top_authors=_authors(videos) if ranked else [],
        top_tags=_tags(videos),
        posting=_posting(published),
        caveats=_caveats(videos, ranked, partial),
        source=source,
        fetched_at=fetched_at,
    )


def _local(published_at: str) -> datetime:
    return datetime.fromisoformat(published_at).astimezone(SHANGHAI)


def _spread(videos: Sequence[VideoSummary], name: str) -> Spread | None:
    known = sorted(value for video in videos if (value := getattr(video, name)) is not None)
    if not known:
        return None
    # The percentile by nearest rank: the smallest value that at least 90 % of the values do not exceed.
    rank = -(-9 * len(known) // 10)
    return Spread(
        median=statistics.median(known),
        p90=known[rank - 1],
        max=known[-1],
        n=len(known),
        lower_bounds=sum(name in video.lower_bounds for video in videos) or None,
    )


def _rate(videos: Sequence[VideoSummary], name: str) -> float | None:
    pairs = [
        (value, video.likes)
        for video in videos
        if (value := getattr(video, name)) is not None and video.likes is not None
    ]
    likes = sum(like for _, like in pairs)
    return round(sum(value for value, _ in pairs) / likes, 3) if likes else None


def _authors(videos: Sequence[VideoSummary]) -> list[AuthorShare]:
    by_author: dict[str, list[VideoSummary]] = defaultdict(list)
    for video in videos:
        # Several people can have the same name.
        if person := video.user_ref or video.author:
            by_author[person].append(video)
    shares = [
        AuthorShare(
            name=listed[0].author or "",
            user_ref=listed[0].user_ref,
            videos=len(listed),
            likes=sum(video.likes or 0 for video in listed),
        )
        for listed in by_author.values()
    ]
    return sorted(shares, key=lambda share: (-share.likes, -share.videos, share.name))[:_TOP_AUTHORS]


def _tags(videos: Sequence[VideoSummary]) -> list[TagShare]:
    by_tag: dict[str, list[VideoSummary]] = defaultdict(list)
    for video in videos:
        for tag in video.tags or []:
            by_tag[tag].append(video)
    shares = []
    for tag, tagged in by_tag.items():
        likes = [video.likes for video in tagged if video.likes is not None]
        shares.append(TagShare(tag=tag, videos=len(tagged), median_likes=statistics.median(likes) if likes else None))
    return sorted(shares, key=lambda share: (-share.videos, -(share.median_likes or 0), share.tag))[:_TOP_TAGS]


def _posting(published: Sequence[datetime]) -> Posting:
    hours, days = Counter(time.hour for time in published), Counter(time.weekday() for time in published)
    return Posting(
        n=len(published),
        by_hour=[hours[hour] for hour in range(24)],
        by_weekday=[days[day] for day in range(7)],
    )


def _caveats(videos: Sequence[VideoSummary], ranked: bool, partial: bool) -> list[str]:
    if not videos:
        return [tr("The sample is empty: there is nothing to analyse")]
    caveats = [tr("The words of a video are its text and hashtags; nobody listened to it or watched it")]
    if ranked:
        caveats.append(tr("Douyin's ranking selected the sample; it does not stand for all videos"))
    if len(videos) < _SMALL_SAMPLE:
        caveats.append(tr("The sample has only {count} videos", count=len(videos)))
    if partial:
        caveats.append(tr("Fewer videos were loaded than requested, although Douyin may have more"))
    if bounded := sum(bool(video.lower_bounds) for video in videos):
        caveats.append(
            tr("Of {count} videos Douyin shows rounded counts, which are used as lower bounds", count=bounded)
        )
    return caveats
