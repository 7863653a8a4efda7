"""Defines the answers of the tools; these docstrings are for people, since agents see only the names (`schema`)."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from xiaohongshu_server.model.schema import Answer

Source = Literal["browser", "cache"]


class Author(BaseModel):
    """Names the author of a note or comment; xhs_get_user accepts `user_ref`."""

    name: str
    user_ref: str | None = None


class NoteSummary(BaseModel):
    """Describes one note of a list.

    `lower_bounds` names the counts that the site shows as "10万+": their true value may be larger. `time_estimated` is
    true when `published_at` is derived from the note's id.
    """

    note_ref: str
    url: str
    title: str
    type: Literal["image", "video"]
    author: Author
    likes: int | None = None
    collects: int | None = None
    comments: int | None = None
    shares: int | None = None
    lower_bounds: list[str] = []
    cover: str | None = None
    published_at: str | None = None
    time_estimated: bool = False


class NoteList(Answer):
    """Holds notes of a search or of the home feed.

    `complete` is true when the site has no notes after these. `applied` lists the filters that were set on the page,
    `warnings` the peculiarities and gaps of the list.
    """

    items: list[NoteSummary]
    count: int
    complete: bool
    next_cursor: str | None = None
    applied: dict[str, str] = {}
    warnings: list[str] = []
    source: Source = "browser"
    fetched_at: str


class Reply(BaseModel):
    """Describes a reply to a comment."""

    comment_id: str
    author: Author
    content: str
    likes: int | None = None
    published_at: str | None = None


class Comment(BaseModel):
    """Describes a comment on a note; `replies` are those that were requested and loaded."""

    comment_id: str
    author: Author
    content: str
    likes: int | None = None
    published_at: str | None = None
    location: str | None = None
    reply_count: int | None = None
    replies: list[Reply] = []


class Comments(Answer):
    """Holds comments of a note in the site's order; `complete` is true when the site offers no more."""

    note_ref: str
    items: list[Comment]
    count: int
    total: int | None = None
    complete: bool
    truncated: bool = False
    source: Source = "browser"
    fetched_at: str


class Note(Answer):
    """Describes a note with its text, counts and first comments; `truncated` is true when the text was cut."""

    note_ref: str
    url: str
    title: str
    content: str
    truncated: bool
    type: Literal["image", "video"]
    tags: list[str]
    author: Author
    likes: int | None = None
    collects: int | None = None
    comments_total: int | None = None
    shares: int | None = None
    lower_bounds: list[str] = []
    images: list[str] = []
    video_seconds: float | None = None
    location: str | None = None
    published_at: str | None = None
    comments: list[Comment] = []
    comments_complete: bool = False
    warnings: list[str] = []
    source: Source = "browser"
    fetched_at: str


class User(Answer):
    """Describes a profile and its latest notes, without lists of followers."""

    user_ref: str
    url: str
    name: str
    description: str
    red_id: str | None = None
    location: str | None = None
    tags: list[str] = []
    follows: int | None = None
    fans: int | None = None
    likes_and_collects: int | None = None
    lower_bounds: list[str] = []
    notes: list[NoteSummary] = []
    notes_complete: bool = False
    source: Source = "browser"
    fetched_at: str


class Suggestions(Answer):
    """Holds the words that the search box suggests, which are not a hot list of the platform."""

    keyword: str
    words: list[str]
    source: Source = "browser"
    fetched_at: str


class ResolvedLink(Answer):
    """Identifies the target of a link; xhs_get_note or xhs_get_user accepts `ref`."""

    kind: Literal["note", "user"]
    ref: str
    url: str
    has_token: bool


class LoginStatus(Answer):
    """Reports whether an account's browser is logged in; `logged_in` is null when that is unknown at present.

    `risk` is the reason why the platform refuses requests; until `paused_until` no page is opened. `login_step` is the
    step that a login by QR code waits for, or how it ended.
    """

    account: str
    logged_in: bool | None
    nickname: str | None = None
    user_id: str | None = None
    session_age_s: int | None = None
    login_pending: bool = False
    login_step: Literal["scan", "confirm", "sms_code", "captcha", "second_code", "expired", "failed"] | None = None
    login_expires_at: str | None = None
    risk: Literal["ok", "captcha", "limited", "restricted"] = "ok"
    paused_until: str | None = None
    next_step: str | None = None
    checked_at: str


class LoginCode(Answer):
    """Describes a QR code to scan with the phone's app; its picture and drawing are separate parts of the result.

    `url` is the content of the code, for clients that can only show an address. `replaced` is true when an earlier code
    became invalid.
    """

    account: str
    logged_in: bool
    url: str | None = None
    replaced: bool = False
    expires_at: str | None = None
    next_step: str
