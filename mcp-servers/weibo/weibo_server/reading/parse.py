"""Turns posts, comments and users, as the site and the mobile site send them, into those of answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.upstream.privacy import Privacy
from dyber_kit.upstream.text import CleanText, clean_text
from dyber_kit.upstream.values import as_object, counted, moment, number

from weibo_server.config import WEB_URL
from weibo_server.model.answers import Comment, Media, PostItem
from weibo_server.model.references import bid_of

Raw = Mapping[str, Any]

_EXCERPT_CHARS = 300
_COMMENT_CHARS = 1000
_NAME_CHARS = 60
_MOST_PICTURES = 18
_MOST_REPLIES = 3
_TAG = re.compile(r"#([^#\n]{1,60})#")
#: The ends of texts that the site cut.
_CUT = re.compile(r"(?:\s*\.{3}\s*|\s*…\s*)?(?:展开|全文)$")
_COUNTS = {"likes": "attitudes_count", "reposts": "reposts_count", "comments": "comments_count"}
_GENDERS = {"m": "male", "f": "female"}


class Parser:
    """Reads what the site sends.

    Args:
        privacy: Hides users.
    """

    def __init__(self, privacy: Privacy) -> None:
        self.privacy = privacy

    def posts(self, raws: Iterable[Any], now: datetime) -> list[PostItem]:
        """Return the posts of a list, each once.

        Raises:
            ServiceError: UPSTREAM_CHANGED when there are entries, and none of them is a post.
        """
        raws = list(raws)
        posts = {post.post: post for raw in raws if isinstance(raw, dict) and (post := self.post(raw, now))}
        if raws and not posts:
            raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
        return list(posts.values())

    def post(self, raw: Raw, now: datetime, max_chars: int = _EXCERPT_CHARS, whole: str = "") -> PostItem | None:
        """Return a post; None for something else.

        Args:
            raw: The post as the site sent it.
            now: The present, for times such as `5 分钟前`.
            max_chars: Cut the text here.
            whole: The whole text of a long post, when it was read.
        """
        mid = number_id(raw)
        if not mid:
            return None
        text = post_text(raw, max_chars, whole)
        user = as_object(raw.get("user"))
        pictures = picture_urls(raw)
        counts, bounds = counted(raw, **_COUNTS)
        origin = as_object(raw.get("retweeted_status"))
        return PostItem(
            post=mid,
            author=self.name(user),
            user_id=self.privacy.user_id(_id(user)),
            text=text.text,
            truncated=text.truncated,
            created_at=moment(raw.get("created_at"), now),
            **counts,
            lower_bounds=bounds,
            pinned=bool(raw.get("isTop")),
            pictures=len(pictures) or None,
            picture_urls=pictures,
            media=media(raw),
            repost_of=self.post(origin, now) if origin else None,
            region=None if self.privacy.enabled else region(raw.get("region_name")),
            device=clean_text(raw.get("source"), _NAME_CHARS).text or None,
            tags=tags(raw, text.text),
            # The usual address of a post contains the number of its author.
            url=post_url(mid, "" if self.privacy.enabled else _id(user)),
        )

    def name(self, user: Raw) -> str | None:
        """Return the nickname of a user."""
        return self.privacy.nickname(clean_text(user.get("screen_name"), _NAME_CHARS).text or None)

    def comments(self, raws: Iterable[Any], now: datetime, author_id: str = "") -> list[Comment]:
        """Return comments. Raises ServiceError (UPSTREAM_CHANGED) when there are entries, and none is a comment."""
        raws = list(raws)
        comments = [
            comment for raw in raws if isinstance(raw, dict) and (comment := self._comment(raw, now, author_id))
        ]
        if raws and not comments:
            raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
        return comments

    def _comment(self, raw: Raw, now: datetime, author_id: str) -> Comment | None:
        comment_id = number_id(raw)
        if not comment_id:
            return None
        user = as_object(raw.get("user"))
        replies = raw.get("comments")
        return Comment(
            comment_id=comment_id,
            author=self.name(user),
            user_id=self.privacy.user_id(_id(user)),
            text=_plain(raw.get("text_raw"), raw.get("text"), _COMMENT_CHARS).text,
            created_at=moment(raw.get("created_at"), now),
            likes=number(raw.get("like_counts", raw.get("like_count"))),
            reply_count=number(raw.get("total_number")) or None,
            replies=self.comments(replies[:_MOST_REPLIES], now, author_id) if isinstance(replies, list) else [],
            by_author=bool(author_id) and _id(user) == author_id,
            region=None if self.privacy.enabled else region(raw.get("source")),
        )

    def user(self, raw: Raw) -> dict[str, Any]:
        """Return the fields of a profile. Raises ServiceError (UPSTREAM_CHANGED) when it has no id."""
        user_id = _id(raw)
        if not user_id:
            raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
        places = {"followers": "followers_count", "following": "friends_count|follow_count", "posts": "statuses_count"}
        counts, bounds = counted(raw, **places)
        shown: dict[str, Any] = {
            "user_id": self.privacy.user_id(user_id),
            "name": self.name(raw),
            "verified": verified(raw),
            **counts,
            "lower_bounds": bounds,
        }
        if self.privacy.enabled:
            return shown
        return shown | {
            "description": clean_text(raw.get("description"), 1000).text or None,
            "gender": _GENDERS.get(str(raw.get("gender"))),
            "location": clean_text(raw.get("location"), _NAME_CHARS).text or None,
            "url": f"{WEB_URL}/u/{user_id}",
        }


def number_id(raw: Raw) -> str:
    """Return the number of a post or comment, or an empty text."""
    for name in ("mid", "idstr", "id"):
        value = raw.get(name)
        if isinstance(value, int | str) and not isinstance(value, bool) and re.fullmatch(r"\d{9,20}", str(value)):
            return str(value)
    return ""


def user_id(raw: Raw) -> str:
    """Return the number of a post's author, or an empty text."""
    return _id(as_object(raw.get("user")))


def post_url(mid: str, author_id: str) -> str:
    """Return the address of a post on the site."""
    return f"{WEB_URL}/{author_id}/{bid_of(mid)}" if author_id else f"{WEB_URL}/detail/{mid}"


def post_text(raw: Raw, max_chars: int, whole: str = "") -> CleanText:
    """Return the text of a post; it counts as truncated when the site sent only its beginning."""
    if whole:
        return clean_text(whole, max_chars)
    text = _plain(raw.get("text_raw"), raw.get("text"), None).text
    if not raw.get("isLongText"):
        cut = clean_text(text, max_chars, html=False)
        return CleanText(cut.text, cut.truncated)
    return CleanText(clean_text(_CUT.sub("", text), max_chars, html=False).text, True)


def is_cut(raw: Raw) -> bool:
    """Return whether the site sent only the beginning of a post's text."""
    return bool(raw.get("isLongText"))


def long_text(raw: Raw) -> str:
    """Return the whole text of a long post from an answer that has it, or an empty text."""
    inner = as_object(raw.get("longText")) or as_object(raw.get("data"))
    for name in ("longTextContent_raw", "longTextContent", "content"):
        value = inner.get(name)
        if isinstance(value, str) and value.strip():
            return value
    return ""


def picture_urls(raw: Raw) -> list[str]:
    """Return the addresses of a post's pictures, in the largest form that the site sent."""
    infos, listed = raw.get("pic_infos"), raw.get("pics")
    entries: list[Any] = []
    if isinstance(infos, dict):
        order = raw.get("pic_ids")
        names = [name for name in order if name in infos] if isinstance(order, list) else []
        entries = [infos[name] for name in names or infos]
    elif isinstance(listed, list | dict):
        entries = list(listed.values()) if isinstance(listed, dict) else listed
    urls = []
    for entry in entries[:_MOST_PICTURES]:
        forms = [
            as_object(as_object(entry).get(form)).get("url") for form in ("largest", "large", "original", "bmiddle")
        ]
        url = next((url for url in [*forms, as_object(entry).get("url")] if isinstance(url, str) and url), None)
        if url and url.startswith(("http://", "https://")):
            urls.append(url)
    return urls


def media(raw: Raw) -> Media | None:
    """Return the video, article or other page that is attached to a post."""
    page = as_object(raw.get("page_info"))
    if not page:
        return None
    details = as_object(page.get("media_info"))
    kind = page.get("object_type") or page.get("type")
    title = page.get("content2") or page.get("page_title") or page.get("content1") or page.get("title")
    url = page.get("page_url") or page.get("short_url")
    if isinstance(title, dict):
        title = title.get("content")
    return Media(
        kind=clean_text(str(kind), 20).text if kind else "page",
        title=clean_text(title, 100).text or None,
        url=url if isinstance(url, str) and url.startswith(("http://", "https://")) else None,
        seconds=number(details.get("duration")) or None,
    )


def tags(raw: Raw, text: str) -> list[str]:
    """Return the topics of a post, in its order."""
    named = raw.get("topic_struct")
    topics = [as_object(entry).get("topic_title") for entry in named] if isinstance(named, list) else []
    words = [clean_text(topic, 60).text for topic in topics] + [match.strip() for match in _TAG.findall(text)]
    return list(dict.fromkeys(word for word in words if word))[:20]


def verified(user: Raw) -> str | None:
    """Return why a user is verified; None for others."""
    if not user.get("verified"):
        return None
    return clean_text(user.get("verified_reason"), 100).text or "verified"


def region(value: Any) -> str | None:
    """Return the region of a post (`发布于 北京`) or comment (`来自北京`)."""
    text = clean_text(value, _NAME_CHARS).text
    for start in ("发布于", "来自"):
        text = text.removeprefix(start).strip()
    return text or None


def _plain(plain: Any, html: Any, max_chars: int | None) -> CleanText:
    """Return the plain text when the site sent it, else the text without the markup."""
    if isinstance(plain, str) and plain.strip():
        return clean_text(plain, max_chars, html=False)
    return clean_text(html, max_chars)


def _id(user: Raw) -> str:
    value = user.get("idstr") or user.get("id")
    return str(value) if isinstance(value, int | str) and str(value).isdecimal() else ""
