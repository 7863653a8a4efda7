"""Pure functions from the site's objects to our models."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from xiaohongshu_server.models import Author, Comment, Note, NoteSummary, Reply
from xiaohongshu_server.references import NoteReference, note_url

_COUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([千万亿]?)(\+?)")
_UNITS = {"": 1, "千": 1_000, "万": 10_000, "亿": 100_000_000}
_TOPIC = re.compile(r"#([^#\[\]\s]+)\[话题\]#")
_EARLIEST = datetime(2013, 1, 1, tzinfo=UTC).timestamp()

Json = dict[str, Any]


@dataclass(frozen=True)
class Count:
    """A number as the site shows it; `lower_bound` when it ends in "+"."""

    value: int
    lower_bound: bool


def parse_count(shown: Any) -> Count | None:
    """Read `80`, `"1.7万"` or `"10万+"`; None for anything that is not a number ("赞", empty, missing)."""
    if isinstance(shown, bool) or shown is None:
        return None
    match = _COUNT.fullmatch(str(shown).strip().replace(",", ""))
    if match is None:
        return None
    number, unit, plus = match.groups()
    return Count(round(float(number) * _UNITS[unit]), bool(plus))


def clean_text(value: Any) -> str:
    """Platform text without control and invisible characters; line breaks stay."""
    text = value if isinstance(value, str) else ""
    kept = (c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Co", "Cs") or c == "\u200d")
    return "".join(kept).strip()


def milliseconds_to_iso(value: Any) -> str | None:
    """Milliseconds since 1970 as ISO 8601 in UTC; None when not a plausible time."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 4e12:
        return None
    return _iso(value / 1000)


def estimated_time(note_id: str, now: datetime) -> str | None:
    """Creation time read from the first eight hex digits of a note id; observed, not documented."""
    seconds = int(note_id[:8], 16)
    return _iso(seconds) if _EARLIEST < seconds <= now.timestamp() + 86_400 else None


def search_items(feeds: list[Any], base_url: str, now: datetime) -> list[NoteSummary]:
    """The notes among search feed items; live rooms and query suggestions are left out."""
    items = []
    for feed in feeds:
        card = _object(feed).get("noteCard")
        note_id = _object(feed).get("id")
        if _object(feed).get("modelType") != "note" or not isinstance(card, dict) or not _is_note_id(note_id):
            continue
        reference = NoteReference(note_id, feed.get("xsecToken") or None)
        counts, lower_bounds = _counts(
            _object(card.get("interactInfo")), likes="likedCount", collects="collectedCount",
            comments="commentCount", shares="sharedCount",
        )  # fmt: skip
        published_at = estimated_time(note_id, now)
        items.append(
            NoteSummary(
                note_ref=str(reference),
                url=note_url(reference, base_url),
                title=clean_text(card.get("displayTitle")),
                type=_note_type(card),
                author=_author(_object(card.get("user"))),
                **counts,
                lower_bounds=lower_bounds,
                published_at=published_at,
                time_estimated=published_at is not None,
            )
        )
    return items


def note_detail(note: Json, reference: NoteReference, base_url: str, max_chars: int, fetched_at: str) -> Note:
    """A note object of the page's state as our model, without comments."""
    description = clean_text(note.get("desc"))
    named = [clean_text(_object(tag).get("name")) for tag in note.get("tagList") or []]
    tags = list(dict.fromkeys(tag for tag in [*named, *_TOPIC.findall(description)] if tag))
    content = _TOPIC.sub(r"#\1", description)
    counts, lower_bounds = _counts(
        _object(note.get("interactInfo")), likes="likedCount", collects="collectedCount",
        comments_total="commentCount", shares="shareCount|sharedCount",
    )  # fmt: skip
    token = note.get("xsecToken") or reference.token
    reference = NoteReference(reference.note_id, token, reference.source)
    images = [_object(image).get("urlDefault") or _object(image).get("url") for image in note.get("imageList") or []]
    return Note(
        note_ref=str(reference),
        url=note_url(reference, base_url),
        title=clean_text(note.get("title")),
        content=content[:max_chars],
        truncated=len(content) > max_chars,
        type=_note_type(note),
        tags=tags,
        author=_author(_object(note.get("user"))),
        **counts,
        lower_bounds=lower_bounds,
        images=[url for url in images if isinstance(url, str)],
        published_at=milliseconds_to_iso(note.get("time")),
        fetched_at=fetched_at,
    )


def comment_items(comments: list[Any], limit: int, include_replies: bool) -> list[Comment]:
    """Comment objects of the page's state as our models."""
    items = []
    for raw in comments[:limit]:
        comment = _object(raw)
        replies = [_reply(_object(reply)) for reply in comment.get("subComments") or []] if include_replies else []
        items.append(
            Comment(
                comment_id=str(comment.get("id") or ""),
                author=_author(_object(comment.get("userInfo"))),
                content=clean_text(comment.get("content")),
                likes=_number(comment.get("likeCount")),
                published_at=milliseconds_to_iso(comment.get("createTime")),
                reply_count=_number(comment.get("subCommentCount")),
                replies=replies,
            )
        )
    return items


def _reply(raw: Json) -> Reply:
    return Reply(
        author=_author(_object(raw.get("userInfo"))),
        content=clean_text(raw.get("content")),
        likes=_number(raw.get("likeCount")),
        published_at=milliseconds_to_iso(raw.get("createTime")),
    )


def _counts(info: Json, **fields: str) -> tuple[dict[str, int | None], list[str]]:
    values: dict[str, int | None] = {}
    lower_bounds = []
    for name, keys in fields.items():
        counts = [parse_count(info.get(key)) for key in keys.split("|")]
        count = next((count for count in counts if count is not None), None)
        values[name] = count.value if count else None
        if count and count.lower_bound:
            lower_bounds.append(name)
    return values, lower_bounds


def _author(user: Json) -> Author:
    name = user.get("nickname") or user.get("nickName")
    return Author(name=clean_text(name), user_id=user.get("userId") or None)


def _note_type(card: Json) -> str:
    return "video" if card.get("type") == "video" else "image"


def _number(shown: Any) -> int | None:
    count = parse_count(shown)
    return count.value if count else None


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _is_note_id(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{24}", value) is not None


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
