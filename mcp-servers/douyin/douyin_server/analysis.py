"""Computes statistics of a sample of videos: engagement, formats, authors, hashtags, times. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from dyber_kit.analysis.figures import Spread, grouped, median_of, posting, ratio, spread
from dyber_kit.times import local_day

from douyin_server.model.analysis import Analysis, AuthorShare, TagShare, TopVideo
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
    published = sorted(datetime.fromisoformat(video.published_at) for video in videos if video.published_at)
    liked = sorted((video for video in videos if video.likes is not None), key=lambda video: -(video.likes or 0))
    return Analysis(
        n=len(videos),
        first=local_day(published[0]) if published else None,
        last=local_day(published[-1]) if published else None,
        engagement={name: spread for name in _COUNTS if (spread := _spread(videos, name))},
        collects_per_like=ratio((video.collects, video.likes) for video in videos),
        comments_per_like=ratio((video.comments, video.likes) for video in videos),
        types=dict(Counter(video.type for video in videos)),
        median_seconds=median_of(video.seconds or None for video in videos),
        top_videos=[
            TopVideo(
                video_id=video.video_id, text=video.text[:_SHOWN_CHARS], likes=video.likes or 0, comments=video.comments
            )
            for video in liked[:_TOP_VIDEOS]
        ],
        top_authors=_authors(videos) if ranked else [],
        top_tags=_tags(videos),
        posting=posting(published),
        caveats=_caveats(videos, ranked, partial),
        source=source,
        fetched_at=fetched_at,
    )


def _spread(videos: Sequence[VideoSummary], name: str) -> Spread | None:
    return spread(
        (getattr(video, name) for video in videos), lower_bounds=sum(name in video.lower_bounds for video in videos)
    )


def _authors(videos: Sequence[VideoSummary]) -> list[AuthorShare]:
    # Several people can have the same name.
    shares = [
        AuthorShare(
            name=listed[0].author or "",
            user_ref=listed[0].user_ref,
            videos=len(listed),
            likes=sum(video.likes or 0 for video in listed),
        )
        for listed in grouped(videos, lambda video: [video.user_ref or video.author]).values()
    ]
    return sorted(shares, key=lambda share: (-share.likes, -share.videos, share.name))[:_TOP_AUTHORS]


def _tags(videos: Sequence[VideoSummary]) -> list[TagShare]:
    shares = [
        TagShare(tag=tag, videos=len(tagged), median_likes=median_of(video.likes for video in tagged))
        for tag, tagged in grouped(videos, lambda video: video.tags or []).items()
    ]
    return sorted(shares, key=lambda share: (-share.videos, -(share.median_likes or 0), share.tag))[:_TOP_TAGS]


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
