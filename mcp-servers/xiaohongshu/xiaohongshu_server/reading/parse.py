"""Turns the site's objects into the models of the answers. Pure functions."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Literal

from dyber_kit.times import local_day, stamp
from dyber_kit.upstream.privacy import Privacy
from dyber_kit.upstream.values import Json, as_object, counted, moment, number, plain

from xiaohongshu_server.model.answers import Author, Comment, Note, NoteSummary, Reply, User, UserSummary
from xiaohongshu_server.model.references import NoteReference, UserReference, is_id, note_url, user_url
from xiaohongshu_server.texts import tr

_TOPIC = re.compile(r"#([^#\[\]\s]+)\[话题\]#")
_EARLIEST = datetime(2013, 1, 1, tzinfo=UTC).timestamp()


class Parser:
    """Turns the site's objects into models; `privacy` decides whether users are named."""

    def __init__(self, base_url: str, privacy: Privacy) -> None:
        self._base_url = base_url
        self._privacy = privacy

    @property
    def names(self) -> Literal["masked", "plain"]:
        """Return how users are named; it is part of the keys of the cache."""
        return "masked" if self._privacy.enabled else "plain"

    def notes(self, feeds: list[Any], now: datetime) -> list[NoteSummary]:
        """Return the notes among feed items; live rooms and query suggestions are left out."""
        return [self._summary(feed["id"], feed, card, now) for feed in feeds if (card := _card(feed))]

    def note(self, note: Json, reference: NoteReference, max_chars: int, now: datetime) -> Note:
        """Return the note of a note object in the page's state, without comments."""
        described = plain(note.get("desc"))
        named = [plain(as_object(tag).get("name")) for tag in note.get("tagList") or []]
        tags = list(dict.fromkeys(tag for tag in [*named, *_TOPIC.findall(described)] if tag))
        content = _TOPIC.sub(r"#\1", described)
        counts, lower_bounds = counted(
            as_object(note.get("interactInfo")), likes="likedCount", collects="collectedCount",
            comments_total="commentCount", shares="shareCount|sharedCount",
        )  # fmt: skip
        reference = NoteReference(reference.note_id, note.get("xsecToken") or reference.token, reference.source)
        images = [
            as_object(image).get("urlDefault") or as_object(image).get("url") for image in note.get("imageList") or []
        ]
        return Note(
            note_ref=str(reference),
            url=note_url(reference, self._base_url),
            title=plain(note.get("title")),
            content=content[:max_chars],
            truncated=len(content) > max_chars,
            type=_note_type(note),
            tags=tags,
            author=self._author(as_object(note.get("user"))),
            **counts,
            lower_bounds=lower_bounds,
            images=[url for url in images if isinstance(url, str)],
            video_seconds=_seconds(note),
            location=self._location(note),
            published_at=moment(note.get("time"), now),
            fetched_at=stamp(now),
        )

    def headline(self, note: Json) -> str:
        """Return a note's title and author, by which people recognise it."""
        author = self._author(as_object(note.get("user"))).name or tr("unknown")
        return tr("《{title}》 by {author}", title=plain(note.get("title")) or tr("untitled"), author=author)

    def comment_line(self, comment: Json) -> str:
        """Return a comment's author and the start of its text, by which people recognise it."""
        author = self._author(as_object(comment.get("userInfo"))).name or tr("unknown")
        said = plain(comment.get("content"), 60)
        return tr("the comment “{text}” by {author}", author=author, text=said)

    def comments(self, comments: list[Any], include_replies: bool, now: datetime) -> list[Comment]:
        """Return the comments of comment objects in the page's state."""
        items = []
        for comment in map(as_object, comments):
            replies = comment.get("subComments") or [] if include_replies else []
            items.append(
                Comment(
                    **self._said(comment, now),
                    location=self._location(comment),
                    reply_count=number(comment.get("subCommentCount")) or None,
                    replies=[Reply(**self._said(as_object(reply), now)) for reply in replies],
                )
            )
        return items

    def user(self, page: Json, notes: list[NoteSummary], reference: UserReference, now: datetime) -> User:
        """Return the user of a profile object in the page's state."""
        basic = as_object(page.get("basicInfo"))
        interactions = {
            str(entry.get("type")): entry.get("count") for entry in map(as_object, page.get("interactions") or [])
        }
        counts, lower_bounds = counted(interactions, follows="follows", fans="fans", likes_and_collects="interaction")
        tags = [plain(as_object(tag).get("name")) for tag in page.get("tags") or []]
        return User(
            user_ref=self._user_ref(reference) or "",
            url=user_url(reference, self._base_url) if not self._privacy.enabled else "",
            name=self._privacy.nickname(plain(basic.get("nickname"))) or "",
            description=plain(basic.get("desc")),
            red_id=self._privacy.user_id(str(basic.get("redId") or "") or None),
            location=self._location(basic),
            tags=[tag for tag in tags if tag],
            **counts,
            lower_bounds=lower_bounds,
            notes=notes,
            fetched_at=stamp(now),
        )

    def users(self, users: list[Any]) -> list[UserSummary]:
        """Return the users of user objects in the results of a search."""
        return [self._user_summary(user) for user in map(as_object, users) if is_id(user.get("id"))]

    def _summary(self, note_id: str, feed: Json, card: Json, now: datetime) -> NoteSummary:
        reference = NoteReference(note_id, feed.get("xsecToken") or card.get("xsecToken") or None)
        counts, lower_bounds = counted(
            as_object(card.get("interactInfo")), likes="likedCount", collects="collectedCount",
            comments="commentCount", shares="sharedCount",
        )  # fmt: skip
        author = self._author(as_object(card.get("user")))
        created = estimated_time(note_id, now)
        cover = as_object(card.get("cover")).get("urlDefault")
        return NoteSummary(
            note_ref=str(reference),
            title=plain(card.get("displayTitle")),
            type=_note_type(card),
            author=author.name,
            date=local_day(created),
            **counts,
            lower_bounds=lower_bounds,
            url=note_url(reference, self._base_url),
            cover=cover if isinstance(cover, str) else None,
            user_ref=author.user_ref,
        )

    def _user_summary(self, user: Json) -> UserSummary:
        reference = UserReference(user["id"], user.get("xsecToken") or user.get("xsec_token") or None)
        counts, lower_bounds = counted(user, fans="fans", notes="noteCount|note_count")
        return UserSummary(
            user_ref=self._user_ref(reference) or "",
            name=self._privacy.nickname(plain(user.get("name"))) or "",
            red_id=self._privacy.user_id(str(user.get("redId") or user.get("red_id") or "") or None),
            profession=plain(user.get("profession")) or None,
            **counts,
            lower_bounds=lower_bounds,
            verified=True in (user.get("redOfficialVerified"), user.get("red_official_verified")) or None,
        )

    def _said(self, raw: Json, now: datetime) -> dict[str, Any]:
        """Return what a comment and a reply have in common."""
        author = self._author(as_object(raw.get("userInfo")), with_token=False)
        return {
            "comment_id": str(raw.get("id") or ""),
            "author": author.name,
            "content": plain(raw.get("content")),
            "likes": number(raw.get("likeCount")),
            "date": moment(raw.get("createTime"), now),
            "user_ref": author.user_ref,
        }

    def _author(self, user: Json, with_token: bool = True) -> Author:
        name = plain(user.get("nickname") or user.get("nickName"))
        user_id = user.get("userId")
        if not is_id(user_id):
            return Author(name=self._privacy.nickname(name) or "")
        reference = UserReference(user_id, (user.get("xsecToken") or None) if with_token else None)
        return Author(name=self._privacy.nickname(name) or "", user_ref=self._user_ref(reference))

    def _user_ref(self, reference: UserReference) -> str | None:
        return self._privacy.user_id(reference.user_id) if self._privacy.enabled else str(reference)

    def _location(self, raw: Json) -> str | None:
        return None if self._privacy.enabled else plain(raw.get("ipLocation")) or None


def estimated_time(note_id: str, now: datetime) -> datetime | None:
    """Return the creation time in the first eight hex digits of a note id; this was observed and is not documented."""
    seconds = int(note_id[:8], 16)
    plausible = _EARLIEST < seconds <= now.timestamp() + 86_400
    return datetime.fromtimestamp(seconds, UTC) if plausible else None


def feed_tokens(feeds: list[Any]) -> dict[str, str]:
    """Return the tokens of notes and authors in feed items by id; agents often leave tokens out."""
    tokens: dict[str, str] = {}
    for feed in feeds:
        card = _card(feed)
        if card is None:
            continue
        user = as_object(card.get("user"))
        for identifier, token in (
            (feed.get("id"), feed.get("xsecToken") or card.get("xsecToken")),
            (user.get("userId"), user.get("xsecToken")),
        ):
            if is_id(identifier) and isinstance(token, str) and token:
                tokens[identifier] = token  # noqa: PERF403 - two sources per feed
    return tokens


def user_tokens(users: list[Any]) -> dict[str, str]:
    """Return the tokens of users in the results of a search by id."""
    listed = map(as_object, users)
    return {user["id"]: user["xsecToken"] for user in listed if is_id(user.get("id")) and user.get("xsecToken")}


def comment_tokens(comments: list[Any]) -> dict[str, str]:
    """Return the tokens of the authors of comments by id."""
    people = [as_object(as_object(comment).get("userInfo")) for comment in comments]
    return {user["userId"]: user["xsecToken"] for user in people if is_id(user.get("userId")) and user.get("xsecToken")}


def _card(feed: Any) -> Json | None:
    card = as_object(feed).get("noteCard")
    known = as_object(feed).get("modelType") in ("note", None) and is_id(as_object(feed).get("id"))
    return card if known and isinstance(card, dict) else None


def _note_type(card: Json) -> str:
    return "video" if card.get("type") == "video" else "image"


def _seconds(note: Json) -> float | None:
    duration = as_object(as_object(note.get("video")).get("capa")).get("duration")
    return float(duration) if isinstance(duration, int | float) and not isinstance(duration, bool) else None
