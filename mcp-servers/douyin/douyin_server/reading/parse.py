"""Turns the site's objects into the models of the answers. Pure functions."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Literal

from dyber_kit.times import iso_local, local_day, stamp
from dyber_kit.upstream.privacy import Privacy
from dyber_kit.upstream.text import parse_time
from dyber_kit.upstream.values import Json, as_list, as_object, counted, moment, number, plain

from douyin_server.model.answers import Author, Comment, HotEntry, User, Video, VideoSummary
from douyin_server.model.references import References, is_user_id, is_video_id

_SUMMARY_CHARS = 120
_TAG = re.compile(r"#([^#\s]+)")


class Parser:
    """Turns the site's objects into models; `privacy` decides whether users are named."""

    def __init__(self, references: References, privacy: Privacy) -> None:
        self._references = references
        self._privacy = privacy

    @property
    def names(self) -> Literal["masked", "plain"]:
        """Return how users are named; it is part of the keys of the cache."""
        return "masked" if self._privacy.enabled else "plain"

    def videos(self, awemes: list[Any], now: datetime) -> list[VideoSummary]:
        """Return the videos of the site's objects, each once; objects without an id are left out."""
        known = {video_id: aweme for aweme in map(as_object, awemes) if (video_id := id_of(aweme))}
        return [self._summary(video_id, aweme, now) for video_id, aweme in known.items()]

    def video(self, aweme: Json, max_chars: int, verbose: bool, now: datetime) -> Video:
        """Return the video of the site's object, without comments."""
        video_id = id_of(aweme)
        described = plain(aweme.get("desc"))
        author = as_object(aweme.get("author"))
        counts, lower_bounds = counted(
            as_object(aweme.get("statistics")), likes="digg_count", comments_total="comment_count",
            collects="collect_count", shares="share_count", plays="play_count",
        )  # fmt: skip
        images = [link for image in as_list(aweme.get("images")) if (link := _first_link(image))]
        return Video(
            video_id=video_id,
            url=self._references.video_url(video_id, video_type(aweme)),
            type=video_type(aweme),
            text=described[:max_chars],
            truncated=len(described) > max_chars,
            tags=tags_of(aweme),
            author=Author(name=self._name(author), user_ref=self._user_ref(author), douyin_id=self._douyin_id(author)),
            # The site sends 0 for the plays of everybody else's videos.
            **(counts | {"plays": counts["plays"] or None}),
            lower_bounds=lower_bounds,
            seconds=seconds_of(aweme),
            pictures=len(as_list(aweme.get("images"))) or None,
            music=self._music(aweme),
            cover=_first_link(as_object(aweme.get("video")).get("cover")) if verbose else None,
            images=images if verbose and images else None,
            published_at=moment(aweme.get("create_time"), now),
            location=self._location(aweme),
            fetched_at=stamp(now),
        )

    def comments(self, comments: list[Any], now: datetime) -> list[Comment]:
        """Return the comments of the site's objects."""
        return [
            Comment(
                comment_id=str(comment.get("cid") or ""),
                author=self._name(as_object(comment.get("user"))),
                content=plain(comment.get("text")),
                likes=number(comment.get("digg_count")),
                replies=number(comment.get("reply_comment_total")) or None,
                pictures=len(as_list(comment.get("image_list"))) or None,
                date=moment(comment.get("create_time"), now),
                pinned=bool(comment.get("stick_position")),
                user_ref=self._user_ref(as_object(comment.get("user"))),
                location=self._location(comment),
            )
            for comment in map(as_object, comments)
        ]

    def user(self, user: Json, user_ref: str, now: datetime) -> User:
        """Return the user of the site's object, without videos."""
        counts, lower_bounds = counted(
            user, follows="following_count", fans="follower_count|mplatform_followers_count", likes="total_favorited",
            videos_total="aweme_count",
        )  # fmt: skip
        return User(
            user_ref=self._privacy.user_id(user_ref) or "",
            url="" if self._privacy.enabled else self._references.user_url(user_ref),
            name=self._name(user),
            douyin_id=self._douyin_id(user),
            description=plain(user.get("signature")),
            verified=plain(user.get("custom_verify") or user.get("enterprise_verify_reason")) or None,
            location=self._location(user),
            **counts,
            lower_bounds=lower_bounds,
            private=number(user.get("secret")) == 1,
            fetched_at=stamp(now),
        )

    def hot(self, entries: list[Any], now: datetime) -> list[HotEntry]:
        """Return the entries of a hot list; those without a word are left out."""
        named = [(entry, word) for entry in map(as_object, entries) if (word := plain(entry.get("word")))]
        return [
            HotEntry(
                rank=number(entry.get("position")) or place,
                word=word,
                heat=number(entry.get("hot_value")) or None,
                videos=number(entry.get("video_count")) or None,
                url=self._references.hot_url(str(entry["sentence_id"])) if entry.get("sentence_id") else None,
                since=moment(entry.get("event_time"), now),
                cover=_first_link(entry.get("word_cover")),
            )
            for place, (entry, word) in enumerate(named, 1)
        ]

    def nickname(self, user: Json) -> str | None:
        """Return the name of a user's object, or None without one."""
        return self._name(user) or None

    def _summary(self, video_id: str, aweme: Json, now: datetime) -> VideoSummary:
        counts, lower_bounds = counted(
            as_object(aweme.get("statistics")), likes="digg_count", comments="comment_count",
            collects="collect_count", shares="share_count",
        )  # fmt: skip
        described = plain(aweme.get("desc"))
        published = parse_time(aweme.get("create_time"), now)
        author = as_object(aweme.get("author"))
        return VideoSummary(
            video_id=video_id,
            text=described if len(described) <= _SUMMARY_CHARS else f"{described[: _SUMMARY_CHARS - 1]}…",
            type=video_type(aweme),
            author=self._name(author) or None,
            seconds=seconds_of(aweme),
            date=local_day(published),
            pinned=number(aweme.get("is_top")) == 1,
            lower_bounds=lower_bounds,
            published_at=iso_local(published),
            url=self._references.video_url(video_id, video_type(aweme)),
            cover=_first_link(as_object(aweme.get("video")).get("cover")),
            user_ref=self._user_ref(author),
            tags=tags_of(aweme),
            **counts,
        )

    def _music(self, aweme: Json) -> str | None:
        title = plain(as_object(aweme.get("music")).get("title"))
        # The title of a sound that a user made is "@" with the user's name.
        return None if self._privacy.enabled and title.startswith("@") else title or None

    def _name(self, user: Json) -> str:
        return self._privacy.nickname(plain(user.get("nickname"))) or ""

    def _user_ref(self, user: Json) -> str | None:
        user_ref = user.get("sec_uid")
        return self._privacy.user_id(str(user_ref)) if is_user_id(user_ref) else None

    def _douyin_id(self, user: Json) -> str | None:
        short_id = str(user.get("short_id") or "")
        return self._privacy.user_id(plain(user.get("unique_id")) or (short_id if short_id != "0" else "") or None)

    def _location(self, raw: Json) -> str | None:
        if self._privacy.enabled:
            return None
        return plain(raw.get("ip_label") or raw.get("ip_location")).removeprefix("IP属地：") or None


def id_of(aweme: Json) -> str:
    """Return the id of a video's object, or "" without a usable one."""
    video_id = str(aweme.get("aweme_id") or "")
    return video_id if is_video_id(video_id) else ""


def tags_of(aweme: Json) -> list[str]:
    """Return the hashtags of a video's object, each once."""
    named = [plain(as_object(extra).get("hashtag_name")) for extra in as_list(aweme.get("text_extra"))]
    described = _TAG.findall(plain(aweme.get("desc")))
    return list(dict.fromkeys(tag for tag in [*named, *described] if tag))


def video_type(aweme: Json) -> Literal["video", "images"]:
    """Return whether a video's object is a set of pictures."""
    return "images" if as_list(aweme.get("images")) else "video"


def seconds_of(aweme: Json) -> int | None:
    """Return the length of a video in whole seconds; sets of pictures have none."""
    milliseconds = number(as_object(aweme.get("video")).get("duration"))
    return round(milliseconds / 1000) if milliseconds and video_type(aweme) == "video" else None


def _first_link(image: Any) -> str | None:
    links = [link for link in as_list(as_object(image).get("url_list")) if isinstance(link, str) and "://" in link]
    return links[0] if links else None
