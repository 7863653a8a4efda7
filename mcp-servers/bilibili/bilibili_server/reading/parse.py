"""Turns the site's objects into the models of the answers. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from dyber_kit.times import stamp
from dyber_kit.upstream.privacy import Privacy
from dyber_kit.upstream.values import Json, as_list, as_object, marked, moment, number, plain

from bilibili_server.config import SiteSettings
from bilibili_server.model.answers import Author, Comment, Hit, HotEntry, Reply, Video, VideoDetail, VideoPart
from bilibili_server.model.references import user_url, video_url

_NAME_CHARS, _TITLE_CHARS, _DESCRIPTION_CHARS, _COMMENT_CHARS = 60, 200, 200, 1000
_MOST_TAGS = 12
_MOST_PARTS = 50
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,3}):(\d{1,2})")
_VALID_BVID = re.compile(r"BV[0-9A-Za-z]{10}")


def identity(value: Any) -> str | None:
    """Return an id that the site sent as a number or as text; None for 0 and for everything else."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return text if text.isascii() and text.isdigit() and int(text) else None


def seconds(value: Any) -> int | None:
    """Return a duration in seconds, from a number of seconds or from `12:34` and `1:02:03`."""
    if isinstance(value, str) and (match := _CLOCK.fullmatch(value.strip())):
        hours, minutes, rest = (int(part or 0) for part in match.groups())
        return hours * 3600 + minutes * 60 + rest
    return number(value)


def clock(value: Any) -> str | None:
    """Return a duration as `12:34` or `1:02:03`."""
    total = seconds(value)
    if total is None:
        return None
    minutes, rest = divmod(total, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def address(value: Any) -> str | None:
    """Return an address of the site's pictures, which it often sends without a scheme."""
    if not isinstance(value, str) or not value or len(value) > 500:
        return None
    return f"https:{value}" if value.startswith("//") else value.replace("http://", "https://", 1)


def bvid_of(item: Json) -> str | None:
    """Return the bvid of a video object, or None."""
    value = item.get("bvid")
    return value if isinstance(value, str) and _VALID_BVID.fullmatch(value) else None


class Parser:
    """Turns the site's objects into models; `privacy` decides whether users are named."""

    def __init__(self, settings: SiteSettings, privacy: Privacy) -> None:
        self._settings = settings
        self._privacy = privacy

    @property
    def names(self) -> str:
        """Return how users are named; it is part of the keys of the cache."""
        return "masked" if self._privacy.enabled else "plain"

    def author(self, name: Any, mid: Any, fans: Any = None) -> Author:
        """Return who made a video."""
        return Author(name=self.name(name), mid=self.mid(mid), fans=number(fans))

    def name(self, value: Any) -> str | None:
        """Return a user's name."""
        return self._privacy.nickname(marked(value, _NAME_CHARS) or None)

    def mid(self, value: Any) -> str | None:
        """Return a user's number."""
        return self._privacy.user_id(identity(value))

    def hot(self, items: Iterable[Any]) -> list[HotEntry]:
        """Return the videos of a hot list with their places; things of another kind keep their place and are left out."""
        entries = []
        for rank, item in enumerate(map(as_object, items), 1):
            if bvid_of(item):
                reason = plain(as_object(item.get("rcmd_reason")).get("content"), 60) or None
                entries.append(HotEntry(rank=rank, reason=reason, **self._listed(item)))
        return entries

    def hot_words(self, items: Iterable[Any]) -> list[HotEntry]:
        """Return the words that people search for."""
        entries = []
        for rank, item in enumerate(map(as_object, items), 1):
            keyword = plain(item.get("keyword"), 100) or plain(item.get("show_name"), 100)
            if keyword:
                entries.append(
                    HotEntry(
                        rank=number(item.get("pos")) or rank,
                        keyword=keyword,
                        heat=number(item.get("heat_score")) or None,
                    )
                )
        return entries

    def found_videos(self, items: Iterable[Any]) -> list[Hit]:
        """Return the videos among search results; advertisements and courses are left out."""
        return [
            Hit(
                bvid=bvid_of(item),
                title=marked(item.get("title"), _TITLE_CHARS),
                author=self.name(item.get("author")),
                mid=self.mid(item.get("mid")),
                views=number(item.get("play")),
                danmaku=number(item.get("danmaku", item.get("video_review"))),
                likes=number(item.get("like")),
                comments=number(item.get("review")),
                favorites=number(item.get("favorites")),
                date=moment(item.get("pubdate")),
                duration=clock(item.get("duration")),
                tags=[tag for tag in marked(item.get("tag")).split(",") if tag][:_MOST_TAGS],
                description=marked(item.get("description"), _DESCRIPTION_CHARS) or None,
                url=video_url(bvid_of(item) or "", self._settings),
                cover=address(item.get("pic")),
            )
            for item in map(as_object, items)
            if bvid_of(item) and item.get("type", "video") == "video"
        ]

    def found_users(self, items: Iterable[Any]) -> list[Hit]:
        """Return the users among search results."""
        return [
            Hit(
                mid=self.mid(item.get("mid")),
                name=self.name(item.get("uname")),
                fans=number(item.get("fans")),
                videos=number(item.get("videos")),
                level=number(item.get("level")),
                verified=self.described(as_object(item.get("official_verify")).get("desc")),
                description=self.described(item.get("usign")),
                url=user_url(str(item["mid"]), self._settings) if not self._privacy.enabled else None,
                cover=address(item.get("upic")) if not self._privacy.enabled else None,
            )
            for item in map(as_object, items)
            if identity(item.get("mid"))
        ]

    def found_articles(self, items: Iterable[Any]) -> list[Hit]:
        """Return the articles among search results."""
        return [
            Hit(
                article_id=f"cv{identity(item.get('id'))}",
                title=marked(item.get("title"), _TITLE_CHARS),
                author=self.name(item.get("author")),
                mid=self.mid(item.get("mid")),
                views=number(item.get("view")),
                likes=number(item.get("like")),
                comments=number(item.get("reply")),
                date=moment(item.get("pub_time")),
                description=marked(item.get("desc"), _DESCRIPTION_CHARS) or None,
                url=f"{self._settings.base_url}/read/cv{identity(item.get('id'))}",
            )
            for item in map(as_object, items)
            if identity(item.get("id"))
        ]

    def uploads(self, items: Iterable[Any]) -> list[Video]:
        """Return the videos of a user's space."""
        return [
            Video(
                bvid=bvid_of(item),
                title=plain(item.get("title"), _TITLE_CHARS),
                views=number(item.get("play")),
                danmaku=number(item.get("video_review")),
                comments=number(item.get("comment")),
                date=moment(item.get("created")),
                duration=clock(item.get("length")),
                description=plain(item.get("description"), _DESCRIPTION_CHARS) or None,
                url=video_url(bvid_of(item) or "", self._settings),
                cover=address(item.get("pic")),
            )
            for item in map(as_object, items)
            if bvid_of(item)
        ]

    def detail(self, video: Json, owner: Json, tags: Iterable[Any], comments_total: int | None) -> VideoDetail:
        """Return a video without comments.

        Args:
            video: The site's object of the video.
            owner: The site's object of its author, which has the number of fans.
            tags: The site's objects of its tags.
            comments_total: The number of comments, when their list has it.
        """
        stat, author = as_object(video.get("stat")), as_object(video.get("owner"))
        bvid = bvid_of(video) or ""
        parts = self.parts(video)
        names = [plain(as_object(tag).get("tag_name"), 40) for tag in tags]
        return VideoDetail(
            bvid=bvid,
            aid=identity(video.get("aid")),
            url=video_url(bvid, self._settings),
            title=plain(video.get("title"), _TITLE_CHARS),
            author=self.author(author.get("name"), author.get("mid"), owner.get("fans")),
            description=plain(video.get("desc")),
            truncated=False,
            category=plain(video.get("tname"), 40) or plain(video.get("tname_v2"), 40) or None,
            tags=[name for name in names if name],
            published_at=moment(video.get("pubdate")),
            duration=clock(video.get("duration")),
            views=number(stat.get("view")),
            danmaku=number(stat.get("danmaku")),
            likes=number(stat.get("like")),
            coins=number(stat.get("coin")),
            favorites=number(stat.get("favorite")),
            shares=number(stat.get("share")),
            comments_total=comments_total if comments_total is not None else number(stat.get("reply")),
            parts=parts[:_MOST_PARTS],
            parts_total=max(1, len(parts)),
            cover=address(video.get("pic")),
            fetched_at=stamp(),
        )

    def parts(self, video: Json) -> list[VideoPart]:
        """Return the parts of a video with more than one."""
        pages = [as_object(page) for page in as_list(video.get("pages"))]
        if len(pages) < 2:
            return []
        return [
            VideoPart(
                page=number(page.get("page")) or place,
                title=plain(page.get("part"), 100),
                duration=clock(page.get("duration")),
            )
            for place, page in enumerate(pages, 1)
        ]

    def comments(self, items: Iterable[tuple[Any, bool]]) -> list[Comment]:
        """Return comments in their order, each with whether it is pinned; those without text are pictures."""
        return [
            Comment(
                **self._said(item),
                pinned=pinned,
                reply_count=number(item.get("rcount")) or None,
                replies=[Reply(**self._said(reply)) for reply in map(as_object, as_list(item.get("replies")))],
            )
            for item, pinned in ((as_object(each), pinned) for each, pinned in items)
            if identity(item.get("rpid"))
        ]

    def _said(self, item: Json) -> dict[str, Any]:
        member = as_object(item.get("member"))
        place = plain(as_object(item.get("reply_control")).get("location"), 40)
        place = place.removeprefix("IP属地：").strip()
        return {
            "comment_id": identity(item.get("rpid")) or "",
            "author": self.name(member.get("uname")),
            "content": plain(as_object(item.get("content")).get("message"), _COMMENT_CHARS),
            "likes": number(item.get("like")),
            "date": moment(item.get("ctime")),
            "mid": self.mid(member.get("mid") or item.get("mid")),
            "location": None if self._privacy.enabled else place or None,
        }

    def _listed(self, item: Json) -> dict[str, Any]:
        stat, owner = as_object(item.get("stat")), as_object(item.get("owner"))
        return {
            "bvid": bvid_of(item),
            "title": plain(item.get("title"), _TITLE_CHARS),
            "author": self.name(owner.get("name")),
            "mid": self.mid(owner.get("mid")),
            "views": number(stat.get("view")),
            "danmaku": number(stat.get("danmaku")),
            "likes": number(stat.get("like")),
            "comments": number(stat.get("reply")),
            "favorites": number(stat.get("favorite")),
            "date": moment(item.get("pubdate")),
            "duration": clock(item.get("duration")),
            "description": plain(item.get("desc"), _DESCRIPTION_CHARS) or None,
            "url": video_url(bvid_of(item) or "", self._settings),
            "cover": address(item.get("pic")),
        }

    def described(self, value: Any) -> str | None:
        """Return what a user writes about themselves; masked users are not described."""
        return None if self._privacy.enabled else marked(value, _DESCRIPTION_CHARS) or None
